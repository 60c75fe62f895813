"""The tiering rule, by the bank's own words."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.days import next_month
from domain.ledger import AssetFacts, MonthlyFacts
from domain.tiering import Standing, TierOverridden, TierPolicy, assess, level, override, tier_on

YUAN = 100
GOLD, AFFLUENT, MASS = 250_000, 90_000, 10_000


def month(name: str, average_yuan: int, asset_class: str = "deposit", currency: str = "CNY") -> MonthlyFacts:
    """A month in which the average was so many yuan."""
    average = average_yuan * YUAN
    asset = AssetFacts(asset_class, currency, average * 30, average, average)  # type: ignore[arg-type]
    return MonthlyFacts(name, 30, (asset,), 0, {}, {}, 0, 1, 1)


def after(policy: TierPolicy, *averages_yuan: int) -> Standing:
    """The standing after these months, from January on."""
    standing, name = Standing(), "2026-01"
    for average in averages_yuan:
        standing, name = assess(policy, standing, month(name, average)), next_month(name)
    return standing


def test_reaching_a_tier_upgrades_on_the_first_day_of_the_next_month(bohai: TierPolicy) -> None:
    """Bohai Bank: reaching a tier is upgraded the next month."""
    standing = after(bohai, MASS, GOLD)

    assert (standing.tier, standing.since) == ("gold", date(2026, 3, 1))


def test_a_missed_month_puts_the_customer_on_the_watch_list_and_keeps_the_tier(bohai: TierPolicy) -> None:
    """Bohai Bank: below the tier, watch list."""
    standing = after(bohai, GOLD, MASS)

    assert (standing.tier, standing.watch) == ("gold", 1)


def test_three_missed_months_drop_to_the_level_of_the_third(bohai: TierPolicy) -> None:
    """Bohai Bank's retail rule: the fourth month starts at the third month's level."""
    standing = after(bohai, GOLD, MASS, MASS, AFFLUENT)

    assert (standing.tier, standing.watch, standing.since) == ("affluent", 0, date(2026, 5, 1))


def test_a_month_reached_in_between_ends_the_watch(bohai: TierPolicy) -> None:
    """Only misses in a row count."""
    standing = after(bohai, GOLD, MASS, MASS, GOLD, MASS, MASS)

    assert (standing.tier, standing.watch) == ("gold", 2)


def test_loans_are_counted_apart(bohai: TierPolicy) -> None:
    """Bohai Bank: personal-loan assets are counted apart."""
    standing = assess(bohai, Standing(), month("2026-01", GOLD, "loan"))

    assert standing.tier == "mass"


def test_other_currencies_do_not_count(bohai: TierPolicy) -> None:
    """A policy measures in its own currency."""
    assert assess(bohai, Standing(), month("2026-01", GOLD, currency="USD")).tier == "mass"


def test_an_override_holds_until_its_last_day_and_no_longer(bohai: TierPolicy) -> None:
    """An override has an end."""
    by_hand = TierOverridden(tier="diamond", approver="head-of-wealth", reason="family of a client", until=date(2026, 4, 30))
    standing = override(after(bohai, MASS), by_hand)

    assert tier_on(bohai, standing, date(2026, 4, 30)) == "diamond"
    assert tier_on(bohai, standing, date(2026, 5, 1)) == "mass"


averages = st.lists(st.integers(min_value=-1_000_000, max_value=5_000_000), min_size=1, max_size=24)


@given(averages)
def test_grace_is_never_exceeded(bohai: TierPolicy, history: list[int]) -> None:
    """Nobody is on the watch list for as many months as lead to a drop."""
    assert after(bohai, *history).watch < bohai.misses_allowed


@given(averages, st.integers(min_value=0, max_value=1_000_000))
def test_more_assets_never_mean_a_lower_tier(bohai: TierPolicy, history: list[int], more: int) -> None:
    """The tier is monotone in assets."""
    names = [tier.tier for tier in bohai.tiers]
    poorer, richer = after(bohai, *history), after(bohai, *(average + more for average in history))

    assert names.index(str(richer.tier)) >= names.index(str(poorer.tier))


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_the_level_is_the_highest_threshold_not_above_the_measure(bohai: TierPolicy, measure: int) -> None:
    """A level is reached at its threshold, not before."""
    reached = level(bohai, measure)

    assert reached == 0 or bohai.tiers[reached].at_least <= measure
    assert all(tier.at_least > measure for tier in bohai.tiers[reached + 1 :])


@pytest.mark.parametrize(
    ("floors", "said"),
    [((5, 10), "tiers[0].at_least: the lowest tier must start at 0, not 5"), ((0, 10, 10), "tiers[2].at_least: 10 does not rise above 10")],
)
def test_a_policy_that_cannot_decide_is_refused(bohai: TierPolicy, floors: tuple[int, ...], said: str) -> None:
    """An unreachable tier is an error of the policy, said by its place."""
    tiers = [{"tier": f"t{floor}-{index}", "name": {}, "at_least": floor} for index, floor in enumerate(floors)]

    with pytest.raises(ValueError, match="at_least") as error:
        TierPolicy.model_validate({**bohai.model_dump(), "tiers": tiers})
    assert said in str(error.value)
