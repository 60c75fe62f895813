"""What a comparison says equals a count by hand, over a synthetic bank's customers one by one."""

import random
from collections import Counter
from datetime import date

import pytest

from deploy.files import read_policy
from deploy.settings import POLICIES
from domain.days import next_month
from domain.facts import MonthlyFacts, Traits
from domain.policy import TierPolicy
from domain.tiering import Standing, assess
from replay.columns import Columns, columns_of
from replay.compare import Comparison
from replay.whatif import sensitivity, what_if
from tests.domain.months import month

History = list[tuple[str, list[MonthlyFacts]]]
REGIONS = ("Beijing", "Tianjin", None)


@pytest.fixture(scope="module")
def bank() -> History:
    """Three hundred customers over half a year, some of them without any month yet."""
    chance, found = random.Random(5), []
    for number in range(300):
        traits = Traits("company" if number % 9 == 0 else "person", region=REGIONS[number % 3], born=date(1930 + number % 80, 6, 30))
        months, name = [], "2026-01"
        for _ in range(0 if number % 50 == 0 else 6):
            months.append(month(name, chance.choice([5_000, 60_000, 180_000, 400_000, 3_000_000]), traits=traits))
            name = next_month(name)
        found.append((f"customer:{number}", months))
    return found


@pytest.fixture(scope="module")
def columns(bank: History) -> Columns:
    """The same bank in columns."""
    return columns_of(bank)


@pytest.fixture(scope="module")
def policies() -> tuple[TierPolicy, TierPolicy]:
    """The live policy, and one with a lower bound for gold and less patience."""
    live = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    said = live.model_dump()
    said.update(version=2, misses_allowed=1)
    said["tiers"][2]["reach"]["at_least"] = 15_000_000
    return live, TierPolicy.model_validate(said)


@pytest.fixture(scope="module")
def found(columns: Columns, policies: tuple[TierPolicy, TierPolicy]) -> Comparison:
    """The comparison of the two."""
    return what_if(columns, policies[0], [policies[1]])[0]


def standing(policy: TierPolicy, months: list[MonthlyFacts]) -> Standing:
    """By the rule, month by month."""
    state = Standing()
    for facts in months:
        state = assess(policy, state, facts)
    return state


def test_the_matrix_counts_every_customer_once(bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison) -> None:
    """From each tier to each tier, as a count by hand has it."""
    pairs = Counter(tuple(standing(policy, months).tier or "unassessed" for policy in policies) for _, months in bank)
    shown = {
        (row, name): count for row, counts in zip(found.rows, found.counts, strict=True) for name, count in zip(found.columns, counts, strict=True) if count
    }

    assert shown == pairs
    assert found.customers == sum(pairs.values()) == 300


def test_assets_are_those_at_the_end_of_the_last_month(bank: History, found: Comparison) -> None:
    """Every yuan stands in one cell."""
    assert sum(map(sum, found.assets)) == sum(months[-1].assets[0].closing for _, months in bank if months)


def test_who_rises_and_falls_is_counted_in_every_segment(bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison) -> None:
    """By kind, region and age band; and each customer is in one segment of each."""
    places = [[policy.place(standing(policy, months).tier) or 0 for policy in policies] for _, months in bank]

    assert found.up == sum(after > before for before, after in places) > 0
    assert found.down == sum(after < before for before, after in places) > 0
    for by in ("kind", "region", "age"):
        segments = [each for each in found.segments if each.by == by]
        assert (sum(each.customers for each in segments), sum(each.up for each in segments), sum(each.down for each in segments)) == (300, found.up, found.down)


def test_age_bands_are_full_years_at_the_end_of_the_last_month(bank: History, found: Comparison) -> None:
    """Who was born on 30 June is a year older on 30 June."""
    ages = Counter(2026 - months[-1].traits.born.year for _, months in bank if months and months[-1].traits.born)
    shown = {each.segment: each.customers for each in found.segments if each.by == "age"}

    assert shown["65 and over"] == sum(count for age, count in ages.items() if age >= 65)
    assert shown["18 to 29"] == sum(count for age, count in ages.items() if 18 <= age <= 29)
    assert shown["unknown"] == 6


def test_every_mover_is_named_with_grounds_the_largest_first(bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison) -> None:
    """From where to where, what was seen, and what is missing for the next tier."""
    by_hand = {name: [standing(policy, months) for policy in policies] for name, months in bank}
    moved = {name for name, (before, after) in by_hand.items() if before.tier != after.tier}

    assert {mover.customer for mover in found.movers} == moved
    assert [mover.assets for mover in found.movers] == sorted((mover.assets for mover in found.movers), reverse=True)
    for mover in found.movers:
        before, after = by_hand[mover.customer]
        assert (mover.before, mover.after) == (before.tier, after.tier)
        assert mover.seen == (after.grounds.seen if after.grounds else None)
        assert all(gap.startswith("assets ") for gap in mover.missing)


def test_nobody_moves_under_the_same_policy(columns: Columns, policies: tuple[TierPolicy, TierPolicy]) -> None:
    """A rule compared with itself."""
    [same] = what_if(columns, policies[0], [policies[0]])

    assert (same.up, same.down, same.movers) == (0, 0, ())


def test_the_digest_names_one_report(columns: Columns, policies: tuple[TierPolicy, TierPolicy], found: Comparison) -> None:
    """The same question, the same digest; another one, another."""
    again, other = what_if(columns, policies[0], [policies[1], policies[0]])

    assert again.digest == found.digest != other.digest


def test_a_curve_shows_how_many_reach_a_tier_threshold_by_threshold(bank: History, columns: Columns, policies: tuple[TierPolicy, TierPolicy]) -> None:
    """Fewer and fewer, and at the present threshold as many as stand there."""
    live = policies[0]
    points = sensitivity(columns, live, "gold", [6_000_000, 20_000_000, 41_000_000])
    there = sum((live.place(standing(live, months).tier) or 0) >= 2 for _, months in bank)

    assert points[0].customers > points[1].customers == there > points[2].customers


def test_a_curve_needs_a_tier_with_one_threshold(columns: Columns, policies: tuple[TierPolicy, TierPolicy]) -> None:
    """The lowest tier has none, and it says so."""
    with pytest.raises(ValueError, match="no tier mass with a single threshold"):
        sensitivity(columns, policies[0], "mass", [1])
