"""How a standing is answered.

What is in force, what was assessed, what is missing to rise and to stay.
"""

from datetime import date

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.ledger import Ledger, seen, transacted
from domain.accounts.month_end import month_ended
from domain.tiering.assessment import Standing, assess, override
from domain.tiering.events import TierOverridden
from domain.tiering.policy import TierPolicy
from projections.accounts.months import Months
from projections.customers.profile import Profile
from projections.offers.responses import Offers
from projections.views.customer import Customer
from projections.views.tier import Answer, answer

BOHAI = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
BY_HAND = TierOverridden(tier="diamond", approver="head", reason="a guest", until=date(2026, 3, 10))


def answered(
    today: date, *yuan: int, policy: TierPolicy = BOHAI, by_hand: TierOverridden | None = None
) -> Answer:
    """The answer of a day about somebody who had so many yuan from January on, month by month.

    The last of these has not ended.
    """
    ledger, rows, standing, had = seen(Ledger(), "2026-01"), {}, Standing(), 0
    for number, amount in enumerate(yuan, start=1):
        month = f"2026-{number:02d}"
        ledger, had = (
            transacted(ledger, [("a", "CNY", (amount - had) * 100, f"{month}-01")]),
            amount,
        )
        if number < len(yuan):
            ledger, [row] = month_ended(ledger, month)
            rows[month], standing = row, assess(policy, standing, row)
    standing = override(standing, by_hand) if by_hand else standing
    return answer(
        Customer("customer:1", Profile(), ledger, Months(rows), standing, Offers(), policy), today
    )


def test_a_tier_that_does_not_hold_yet_is_told_beside_the_one_that_does() -> None:
    """Gold by February's months, in force from March on."""
    told = [answered(date(2026, *day), 60_000, 300_000, 300_000) for day in ((2, 28), (3, 1))]

    assert [(each.tier, each.since, each.assessed, each.assessed_since) for each in told] == [
        ("affluent", None, "gold", date(2026, 3, 1)),
        ("gold", date(2026, 3, 1), "gold", date(2026, 3, 1)),
    ]


def test_an_override_is_told_while_it_lasts_and_if_the_policy_knows_its_tier() -> None:
    """Until the tenth of March; and never one with a misspelt tier."""
    lasting, over = (
        answered(date(2026, 3, day), 60_000, 60_000, 60_000, by_hand=BY_HAND) for day in (10, 11)
    )
    misspelt = answered(
        date(2026, 3, 1),
        60_000,
        60_000,
        60_000,
        by_hand=BY_HAND.model_copy(update={"tier": "diamnd"}),
    )

    assert (lasting.tier, lasting.since, lasting.override and lasting.override.approver) == (
        "diamond",
        None,
        "head",
    )
    assert [(each.tier, each.override, each.since) for each in (over, misspelt)] == [
        ("affluent", None, date(2026, 2, 1))
    ] * 2


def test_what_is_missing_to_stay_is_told_with_what_a_miss_would_lead_to() -> None:
    """Gold, with 90,000 yuan in the open month.

    110,000 short of staying, and watched from its end on.
    """
    told = answered(date(2026, 3, 20), 300_000, 300_000, 90_000)
    safe = answered(date(2026, 3, 20), 300_000, 300_000, 210_000)

    assert [[str(gap) for gap in way] for way in told.outlook.to_keep] == [
        ["assets 9,000,000, at least 20,000,000"]
    ]
    assert (
        told.heading.reached,
        told.heading.tier,
        told.heading.watch,
        told.heading.next_assessment,
    ) == ("affluent", "gold", 1, "2026-03")
    assert (safe.outlook.to_keep, safe.heading.watch) == ((), 0)
    assert (told.outlook.below, told.outlook.falls_on, told.outlook.misses_left) == (
        "affluent",
        date(2026, 6, 1),
        3,
    )


def test_a_month_without_assessment_names_the_next_one() -> None:
    """ICBC looks at June and December: in March nothing is decided."""
    told = answered(
        date(2026, 3, 1), 10, 10, 10, policy=read_policy(POLICIES / "tiers" / "icbc-stars.yaml")
    )

    assert (told.heading.next_assessment, told.assessed) == ("2026-06", None)


def test_every_month_that_ended_is_told_with_what_it_reached() -> None:
    """The measures of each, and the digest of the policy by which they are read."""
    told = answered(date(2026, 3, 1), 60_000, 300_000, 1)

    assert {month: (each.seen, each.reached) for month, each in told.months.items()} == {
        "2026-01": ({"assets": 6_000_000}, "affluent"),
        "2026-02": ({"assets": 30_000_000}, "gold"),
    }
    assert told.policy_digest == BOHAI.digest
