"""The past, folded again: as known then, and why."""

from datetime import date, datetime, timedelta

import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.events import TransactionPosted
from domain.bank.events import DayClosed
from domain.envelope import Proposed
from domain.rules.conditions import Gap
from domain.tiering.events import TierOverridden
from domain.tiering.policy import TierPolicy
from projections.projection import Group
from projections.rollout.versions import Rules
from projections.store import GroupShard
from projections.views.history import customers_under
from replay.history.as_of import as_of
from replay.history.explain import explain
from replay.rebuild.in_memory import rebuild
from streams.broker.routing import shard_of
from streams.journal import Journal
from streams.sources.synth import Bank, synth
from tests.conftest import proposed
from tests.replay.history.conftest import BEGUN, SHARDS, record


@pytest.fixture
def group(bohai: TierPolicy) -> Group:
    """Customers under the live policy."""
    return customers_under([bohai])


def day_closed(day: date) -> Proposed:
    """The bank's end of a day."""
    return proposed(DayClosed(date=day), f"day-{day}", "bank", day=day)


def paid(name: str, yuan: int, day: date) -> Proposed:
    """Money that came to the customer."""
    return proposed(
        TransactionPosted(
            transaction=name, account="a", amount=yuan * 100, currency="CNY", kind="in"
        ),
        name,
        day=day,
    )


async def test_as_of_now_is_the_live_state_of_every_customer(
    journal: Journal, group: Group
) -> None:
    """To the byte, also for customers who came after a month had ended."""
    bank = list(synth(Bank(40, 4, 3)))
    for start in range(0, len(bank), 500):
        record(journal, bank[start : start + 500])
    store = rebuild((group,), journal, processes=1)

    for stream in sorted({event.stream for event in bank if event.stream.startswith("customer:")}):
        states = as_of(journal, group, stream)
        assert states is not None
        kept = await store.load(
            GroupShard(shard_of(stream, SHARDS), group.name),
            [(part.key, stream) for part in group.parts],
        )
        for part, state, one in zip(group.parts, states, kept, strict=True):
            assert part.encode(state) == (one.state if one else part.encode(part.initial))


def test_what_was_recorded_later_was_not_known_then(journal: Journal, group: Group) -> None:
    """Two times: when it became known, and when it was true."""
    record(journal, [paid("1", 100, date(2026, 1, 5))], BEGUN)
    record(journal, [paid("2", 30, date(2026, 1, 3))], BEGUN + timedelta(days=9))
    record(journal, [paid("3", 5, date(2026, 1, 20))], BEGUN + timedelta(days=9))

    def balance(recorded: datetime | None = None, occurred: date | None = None) -> int | None:
        states = as_of(journal, group, "customer:1", recorded, occurred)
        return None if states is None else states.facts.ledger.accounts["a"].balance

    assert balance() == 135_00
    assert balance(recorded=BEGUN) == 100_00
    assert balance(occurred=date(2026, 1, 10)) == 130_00
    assert balance(recorded=BEGUN, occurred=date(2026, 1, 4)) is None
    assert balance(occurred=date(2025, 12, 31)) is None


@pytest.fixture
def told(journal: Journal) -> Journal:
    """A customer who was rich in January, and less so from February on; an override in April."""
    record(journal, [paid("1", 300_000, date(2026, 1, 1)), day_closed(date(2026, 1, 31))])
    record(
        journal,
        [
            paid("2", -290_000, date(2026, 2, 1)),
            paid("3", 1, date(2026, 2, 3)),
            day_closed(date(2026, 2, 28)),
            day_closed(date(2026, 3, 31)),
        ],
    )
    by_hand = TierOverridden(
        tier="diamond", approver="head", reason="key client", until=date(2026, 4, 30)
    )
    record(journal, [proposed(by_hand, "4", day=date(2026, 4, 2)), day_closed(date(2026, 4, 30))])
    return journal


@pytest.mark.parametrize(
    ("on", "tier", "since", "watch"),
    [
        (date(2026, 1, 31), "mass", None, 0),
        (date(2026, 2, 1), "gold", date(2026, 2, 1), 0),
        (date(2026, 3, 1), "gold", date(2026, 2, 1), 1),
        (date(2026, 4, 1), "gold", date(2026, 2, 1), 2),
        (date(2026, 4, 2), "diamond", date(2026, 2, 1), 2),
        (date(2026, 5, 1), "mass", date(2026, 5, 1), 0),
    ],
)
def test_a_tier_is_explained_as_it_was_in_force_on_the_day(
    told: Journal, bohai: TierPolicy, on: date, tier: str, since: date, watch: int
) -> None:
    """From the day that an assessment takes effect, not before; an override while it lasts."""
    found = explain(told, Rules.of(bohai), "customer:1", on)

    assert found is not None
    assert (found.tier, found.since, found.watch) == (tier, since, watch)
    assert (found.policy, found.policy_digest) == ("bohai-retail@1", bohai.digest)
    assert (found.override is not None) == (on == date(2026, 4, 2))


def test_each_month_says_what_was_measured_and_from_which_events(
    told: Journal, bohai: TierPolicy
) -> None:
    """The months that led there, with positions in the journal to look at."""
    found = explain(told, Rules.of(bohai), "customer:1", date(2026, 5, 1))

    assert found is not None
    assert [
        (each.month, each.reached, each.before, each.after, each.watch, each.events)
        for each in found.assessments
    ] == [
        ("2026-01", "gold", None, "gold", 0, 1),
        ("2026-02", "mass", "gold", "gold", 1, 2),
        ("2026-03", "mass", "gold", "gold", 2, 0),
        ("2026-04", "mass", "gold", "mass", 0, 1),
    ]
    february = found.assessments[1]
    assert [(moved.id, moved.amount) for moved in february.largest] == [
        ("2", -290_000_00),
        ("3", 1_00),
    ]
    assert february.seen == {"assets": 1_000_093}, (
        "10,000 yuan, and one yuan for 26 of 28 days, rounded half up"
    )
    assert (february.first_version, february.last_version) == (2, 3)
    january, _, march, april = found.assessments
    assert [january.met, january.missed_for, january.missed] == [
        (Gap("assets", 20_000_000, 30_000_000),),
        "platinum",
        ((Gap("assets", 50_000_000, 30_000_000),),),
    ]
    assert [february.met, february.missed_for, february.missed] == [
        (),
        "gold",
        ((Gap("assets", 20_000_000, 1_000_093),),),
    ], "the tier that was held, and not reached"
    assert [each.change for each in (january, february, march)] == [
        {},
        {"assets": 1_000_093 - 30_000_000},
        {"assets": march.seen["assets"] - 1_000_093},
    ]
    assert april.missed_for == "gold"


def test_an_override_of_the_months_last_day_holds_although_the_month_is_closed(
    journal: Journal, bohai: TierPolicy
) -> None:
    """What the day's end led to takes effect on the next day.

    What was decided by hand does at once.
    """
    record(journal, [paid("1", 300_000, date(2026, 1, 1)), day_closed(date(2026, 1, 31))])
    by_hand = TierOverridden(
        tier="diamond", approver="head", reason="key client", until=date(2026, 3, 31)
    )
    record(journal, [proposed(by_hand, "2", day=date(2026, 1, 31))])
    found = explain(journal, Rules.of(bohai), "customer:1", date(2026, 1, 31))

    assert found is not None
    assert (found.tier, found.assessments) == ("diamond", ())


def test_events_of_months_without_an_assessment_stand_behind_the_next(told: Journal) -> None:
    """ICBC assesses in June: what moved in January is behind that."""
    stars = read_policy(POLICIES / "tiers" / "icbc-stars.yaml")
    record(told, [day_closed(date(2026, 6, 30))])
    found = explain(told, Rules.of(stars), "customer:1", date(2026, 7, 1))

    assert found is not None
    [june] = found.assessments
    assert (june.month, june.events, june.largest[0].amount) == ("2026-06", 4, 300_000_00)


def test_nobody_is_known_before_their_first_day(
    journal: Journal, group: Group, bohai: TierPolicy
) -> None:
    """A month's end that came in between says nothing of who came after it."""
    record(journal, [paid("1", 100, date(2026, 2, 1)), day_closed(date(2026, 1, 31))])

    assert as_of(journal, group, "customer:1", occurred=date(2026, 1, 31)) is None
    assert explain(journal, Rules.of(bohai), "customer:1", date(2026, 1, 31)) is None


def test_every_month_that_was_closed_at_once_is_explained_with_its_own_events(
    journal: Journal, bohai: TierPolicy
) -> None:
    """Only April's end was reported; January's rise and the misses after it are told
    all the same.
    """
    record(
        journal,
        [
            paid("1", 300_000, date(2026, 1, 1)),
            paid("2", -290_000, date(2026, 2, 1)),
            day_closed(date(2026, 4, 30)),
        ],
    )
    found = explain(journal, Rules.of(bohai), "customer:1", date(2026, 5, 1))

    assert found is not None
    assert [
        (each.month, each.after, each.watch, [moved.id for moved in each.largest])
        for each in found.assessments
    ] == [
        ("2026-01", "gold", 0, ["1"]),
        ("2026-02", "gold", 1, ["2"]),
        ("2026-03", "gold", 2, []),
        ("2026-04", "mass", 0, []),
    ]


def test_nothing_is_explained_of_somebody_unknown(told: Journal, bohai: TierPolicy) -> None:
    """No events, no explanation."""
    assert explain(told, Rules.of(bohai), "customer:2", date(2026, 5, 1)) is None


async def test_an_explanation_of_today_is_the_live_standing(
    told: Journal, group: Group, bohai: TierPolicy
) -> None:
    """What is explained is what is answered."""
    store = rebuild((group,), told, processes=1)
    [kept] = await store.load(
        GroupShard(shard_of("customer:1", SHARDS), group.name),
        [(group.parts[-1].key, "customer:1")],
    )
    standing = group.parts[-1].decode(kept.state) if kept else None
    found = explain(told, Rules.of(bohai), "customer:1", date(2026, 12, 31))

    assert found is not None
    assert standing is not None
    assert (found.tier, found.since, found.watch) == (standing.tier, standing.since, standing.watch)
