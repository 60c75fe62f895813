"""Every published rule as a policy, on histories made by hand.

The right answers are the banks' own words.
"""

from datetime import date
from pathlib import Path

import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.monthly_facts import Traits
from domain.calendar import next_month
from domain.households.membership import Member, summed, together
from domain.tiering.assessment import Standing, assess
from domain.tiering.policy import TierPolicy
from tests.domain.accounts.months import after, month

TIERS = POLICIES / "tiers"
MILLION = 1_000_000


def policy(name: str) -> TierPolicy:
    """A policy that is shipped."""
    return read_policy(TIERS / f"{name}.yaml")


@pytest.mark.parametrize("path", sorted(TIERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_policy_with_its_source(path: Path) -> None:
    """Each can be read, is named after its file, and says where it comes from."""
    read = read_policy(path)

    assert read.policy == path.stem
    assert read.source
    assert all(tier.name.keys() == {"zh", "en"} for tier in read.tiers)


def test_bohai_private_banking_waits_for_six_missed_months() -> None:
    """Private banking: 6 missed months, month 7 down to the level of month 6."""
    private = policy("bohai-private")
    five = after(private, 7 * MILLION, *[3 * MILLION] * 5)
    six = after(private, 7 * MILLION, *[3 * MILLION] * 5, 600_000)

    assert (five.tier, five.watch) == ("private", 5)
    assert (six.tier, six.since) == ("platinum", date(2026, 8, 1))


def test_bohai_retail_tiers_of_the_same_bank_wait_for_three() -> None:
    """The same customer, gold: 3 consecutive missed months."""
    assert after(policy("bohai-private"), 250_000, 0, 0, 0).tier == "mass"


def test_icbc_is_assessed_on_30_june_and_31_december() -> None:
    """Nothing happens at the other months' ends."""
    stars = policy("icbc-stars")
    may, june = after(stars, *[600_000] * 5), after(stars, *[600_000] * 6)

    assert may == Standing(through="2026-05")
    assert (june.tier, june.since) == ("four", date(2026, 6, 30))


def test_icbc_goes_up_at_once_and_down_deferred() -> None:
    """当期升级, 延期降级: up on the day of assessment, down only when the next assessment misses too."""  # noqa: E501
    stars = policy("icbc-stars")
    up = after(stars, *[60_000] * 6, *[600_000] * 6)
    first_miss = after(stars, *[60_000] * 6, *[600_000] * 6, *[60_000] * 6)
    second_miss = after(stars, *[60_000] * 6, *[600_000] * 6, *[60_000] * 12)

    assert (up.tier, up.since) == ("four", date(2026, 12, 31))
    assert (first_miss.tier, first_miss.watch) == ("four", 1)
    assert (second_miss.tier, second_miss.since) == ("three", date(2028, 1, 1))


@pytest.mark.parametrize(
    ("points", "star"),
    [
        (49, "entry"),
        (50, "three"),
        (499, "three"),
        (500, "four"),
        (2_000, "five"),
        (10_000, "six"),
        (80_000, "seven"),
    ],
)
def test_icbc_stars_by_points(points: int, star: str) -> None:
    """Below 50 准星, from 50 三星, 500 四星, 2,000 五星, 10,000 六星, 80,000 七星; here a point is
    1,000 yuan.
    """
    assert assess(policy("icbc-stars"), Standing(), month("2026-06", points * 1_000)).tier == star


def test_icbc_activity_scores_too() -> None:
    """Ten products and thirty transactions: fifty points, and no more than twenty."""
    busy = month("2026-06", 0, transactions=30, products=10)

    assert assess(policy("icbc-stars"), Standing(), busy).grounds.seen["points"] == 70  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("yuan", "tier"),
    [
        (499_999, "base"),
        (500_000, "sunflower"),
        (4_999_999, "sunflower"),
        (5 * MILLION, "diamond"),
        (10 * MILLION, "private"),
    ],
)
def test_cmb_thresholds(yuan: int, tier: str) -> None:
    """金葵花 from 500,000 yuan of monthly daily-average total assets, 钻石 from 5,000,000, private
    banking from 10,000,000.
    """
    assert after(policy("cmb-sunflower"), yuan).tier == tier


def test_industrial_bank_weighs_asset_classes() -> None:
    """Total = sum of daily average times coefficient.

    100,000 yuan of deposits are gold, of metal they are not.
    """
    core = policy("industrial-core")

    assert assess(core, Standing(), month("2026-01", 100_000)).tier == "gold"
    assert assess(core, Standing(), month("2026-01", metal=100_000)).tier == "base"


def test_industrial_bank_core_needs_loyalty_and_contribution() -> None:
    """A core customer meets loyalty and contribution; assets alone are gold."""
    core = policy("industrial-core")
    loyal = {"tenure_months": 36, "streak": 12, "products": 2}

    assert assess(core, Standing(), month("2026-01", 300_000)).tier == "gold"
    assert assess(core, Standing(), month("2026-01", 300_000, **loyal)).tier == "core"
    assert assess(core, Standing(), month("2026-01", metal=600_000, **loyal)).tier == "gold"


def test_industrial_bank_diamond_uses_unweighted_net_assets() -> None:
    """A loan takes off what it owes."""
    core = policy("industrial-core")

    assert assess(core, Standing(), month("2026-01", metal=MILLION)).tier == "diamond"
    assert assess(core, Standing(), month("2026-01", metal=MILLION, loan=-1)).tier == "gold"


def test_hsbc_premier_by_ones_own_or_by_the_familys() -> None:
    """Total relationship balance of 500,000 yuan, or the family's."""
    premier = policy("hsbc-premier")
    mine, theirs = month("2026-01", 200_000), month("2026-01", 300_000)
    family = together(mine, summed([Member(mine), Member(theirs)]))

    assert assess(premier, Standing(), month("2026-01", 500_000)).tier == "premier"
    assert assess(premier, Standing(), mine).tier == "personal"
    assert assess(premier, Standing(), mine, [family]).tier == "premier"


@pytest.mark.parametrize(
    ("dollars", "tier"),
    [
        (29_999, "everyday"),
        (30_000, "priority"),
        (200_000, "citigold"),
        (MILLION, "private-client"),
    ],
)
def test_citi_tiers_of_a_linked_family(dollars: int, tier: str) -> None:
    """30 k, 200 k and 1 M dollars of combined average monthly balance, with family linking."""
    one = month("2026-01", dollars // 2, currency="USD", tenure_months=20)
    other = month("2026-01", dollars - dollars // 2, currency="USD", tenure_months=20)
    family = together(one, summed([Member(one), Member(other)]))

    assert assess(policy("citi-relationship"), Standing(), one, [family]).tier == tier


def test_a_new_customer_on_the_fast_track_counts_by_what_is_there_now() -> None:
    """Money that came on the last day has no average yet; after three months it needs one."""
    citi = policy("citi-relationship")
    new, known = (
        month("2026-01", 1_000, closing=250_000, currency="USD", tenure_months=tenure)
        for tenure in (1, 4)
    )

    assert assess(citi, Standing(), new).tier == "citigold"
    assert assess(citi, Standing(), known).tier == "everyday"


@pytest.mark.parametrize(("name", "millions"), [("six", 6), ("eight", 8), ("ten", 10)])
def test_private_bank_entry(name: str, millions: int) -> None:
    """6 M at ABC, BoCom, CCB, PSBC and CITIC; 8 M at ICBC, SPDB and Minsheng.

    10 M at CMB and Everbright.
    """
    entry = policy(f"private-entry-{name}-million")

    assert after(entry, millions * MILLION - 1).tier == "retail"
    assert after(entry, millions * MILLION).tier == "private"


COMPANY = Traits(kind="company", rating="AA", industry="software")


def test_key_companies_by_rating_and_business_or_by_deposits() -> None:
    """Ten million yuan of deposits, or a good rating with business every week."""
    key = policy("corporate-key-accounts")
    busy = {"value_in": {"CNY": 300_000_000}, "value_out": {"CNY": 200_000_000}, "active_days": 5}

    assert (
        assess(key, Standing(), month("2026-01", 10 * MILLION, traits=Traits(kind="company"))).tier
        == "important"
    )
    assert assess(key, Standing(), month("2026-01", traits=COMPANY, **busy)).tier == "important"
    assert (
        assess(
            key, Standing(), month("2026-01", traits=Traits(kind="company", rating="BBB"), **busy)
        ).tier
        == "standard"
    )


def test_strategic_companies_by_rating_industry_stage_deposits_and_contribution() -> None:
    """All of them, and each is needed."""
    key, rich = policy("corporate-key-accounts"), 50 * MILLION
    there = {"tenure_months": 12, "streak": 3}

    assert (
        assess(key, Standing(), month("2026-01", rich, traits=COMPANY, **there)).tier == "strategic"
    )
    assert (
        assess(
            key,
            Standing(),
            month("2026-01", rich, traits=Traits("company", "AA", "trade"), **there),
        ).tier
        == "important"
    )
    assert (
        assess(
            key,
            Standing(),
            month("2026-01", rich, traits=Traits("company", "BBB", "software"), **there),
        ).tier
        == "important"
    )
    assert (
        assess(key, Standing(), month("2026-01", rich, traits=COMPANY, tenure_months=2)).tier
        == "important"
    )


def test_a_companys_group_counts() -> None:
    """The group's deposits lift a member that has few of its own."""
    key, own = policy("corporate-key-accounts"), month("2026-01", 1, traits=COMPANY)
    group = together(own, summed([Member(own), Member(month("2026-01", 20 * MILLION))]))

    assert assess(key, Standing(), own, [group]).tier == "important"


def test_people_are_no_key_companies() -> None:
    """A policy for companies leaves people as they are."""
    assert assess(
        policy("corporate-key-accounts"), Standing(), month("2026-01", 50 * MILLION)
    ) == Standing(through="2026-01")


def test_nobody_falls_while_in_dispute() -> None:
    """A miss during a dispute does not count, and the count goes on after it."""
    key, standing, name = policy("corporate-key-accounts"), Standing(), "2026-01"
    in_dispute = Traits(kind="company", open_cases=1)
    watches = []
    for yuan, traits in [(10 * MILLION, COMPANY), *[(0, COMPANY)] * 2, *[(0, in_dispute)] * 6]:
        standing, name = assess(key, standing, month(name, yuan, traits=traits)), next_month(name)
        watches.append(standing.watch)

    assert (standing.tier, watches) == ("important", [0, 1, 2, 2, 2, 2, 2, 2, 2])
    assert assess(key, standing, month(name, 0, traits=COMPANY)).tier == "standard"
