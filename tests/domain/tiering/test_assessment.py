"""The machine behind all tiering rules: up, watched, down; by properties that hold for
any of them.
"""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tiering.assessment import Standing, assess, case_of, level, override, tier_on
from domain.tiering.events import TierOverridden
from domain.tiering.outlook import outlook
from domain.tiering.policy import FastTrack, TierPolicy
from tests.domain.accounts.months import AFFLUENT, GOLD, MASS, after, month


def test_reaching_a_tier_upgrades_on_the_first_day_of_the_next_month(bohai: TierPolicy) -> None:
    """Bohai Bank: reaching a tier is upgraded the next month."""
    standing = after(bohai, MASS, GOLD)

    assert (standing.tier, standing.since) == ("gold", date(2026, 3, 1))


def test_a_missed_month_puts_the_customer_on_the_watch_list_and_keeps_the_tier(
    bohai: TierPolicy,
) -> None:
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
    standing = assess(bohai, Standing(), month("2026-01", loan=-GOLD))

    assert standing.tier == "mass"


def test_an_override_holds_until_its_last_day_and_no_longer(bohai: TierPolicy) -> None:
    """An override has an end."""
    by_hand = TierOverridden(
        tier="diamond",
        approver="head-of-wealth",
        reason="family of a client",
        until=date(2026, 4, 30),
    )
    standing = override(after(bohai, MASS), by_hand)

    assert tier_on(bohai, standing, date(2026, 4, 30)) == "diamond"
    assert tier_on(bohai, standing, date(2026, 5, 1)) == "mass"


def test_the_grounds_are_what_was_measured_and_what_it_reached(bohai: TierPolicy) -> None:
    """A standing says on what it rests."""
    grounds = after(bohai, GOLD, AFFLUENT).grounds

    assert grounds is not None
    assert (grounds.month, grounds.seen, grounds.reached) == (
        "2026-02",
        {"assets": AFFLUENT * 100},
        "affluent",
    )


def test_what_is_missing_for_the_next_tier_and_what_would_lead_down_and_when(
    bohai: TierPolicy,
) -> None:
    """Gold in January, affluent assets in February.

    Platinum is so far away, and two more misses lead down from May on.
    """
    next_up = outlook(bohai, after(bohai, GOLD, AFFLUENT), month("2026-02", AFFLUENT))

    [[gap]] = next_up.missing
    assert (next_up.above, gap.what, gap.needs, gap.has) == (
        "platinum",
        "assets",
        500_000_00,
        AFFLUENT * 100,
    )
    assert (next_up.below, next_up.misses_left, next_up.falls_on) == (
        "affluent",
        2,
        date(2026, 5, 1),
    )


def test_at_the_top_nothing_is_missing_and_at_the_bottom_nothing_falls(bohai: TierPolicy) -> None:
    """The ends of the ladder."""
    top, bottom = (
        outlook(bohai, after(bohai, 5_000_000), month("2026-01", 5_000_000)),
        outlook(bohai, after(bohai, 0), month("2026-01", 0)),
    )

    assert (top.above, top.missing) == (None, ())
    assert (bottom.below, bottom.falls_on, bottom.misses_left) == (None, None, None)


def test_a_tier_is_in_force_from_its_day_on_and_an_override_through_its_last(
    bohai: TierPolicy,
) -> None:
    """On the last day of the month that led up, the old tier still holds.

    And an override of that day too.
    """
    standing = after(bohai, MASS, GOLD)
    by_hand = TierOverridden(tier="diamond", approver="a", reason="r", until=date(2026, 3, 31))
    overridden = after(
        bohai, GOLD, start="2026-03", onto=override(after(bohai, MASS, MASS), by_hand)
    )

    assert (
        tier_on(bohai, standing, date(2026, 2, 28)),
        tier_on(bohai, standing, date(2026, 3, 1)),
    ) == ("mass", "gold")
    assert (
        tier_on(bohai, overridden, date(2026, 3, 31)),
        tier_on(bohai, overridden, date(2026, 4, 1)),
    ) == ("diamond", "gold")


def test_an_outlook_under_a_stricter_policy_than_the_standings_has_one_miss_left(
    bohai: TierPolicy,
) -> None:
    """A standing from more patient days."""
    patient = after(misses_of(bohai, 6), GOLD, MASS, MASS, MASS, MASS)

    assert outlook(bohai, patient, month("2026-05", MASS)).misses_left == 1


def test_a_fall_is_foretold_for_the_day_on_which_it_comes(bohai: TierPolicy) -> None:
    """New customers are assessed every month, whatever the assessment days."""
    policy = misses_of(bohai, 2).model_copy(
        update={"assessed_in": (6, 12), "fast_track": FastTrack(through_months=6)}
    )
    months = [
        month(f"2026-{number:02d}", yuan, closing=yuan, tenure_months=number)
        for number, yuan in enumerate((GOLD, MASS, MASS), start=1)
    ]
    first = assess(policy, Standing(), months[0])
    last = assess(policy, assess(policy, first, months[1]), months[2])

    assert outlook(policy, first, months[0]).falls_on == last.since == date(2026, 4, 1)


averages = st.lists(st.integers(min_value=-1_000_000, max_value=5_000_000), min_size=1, max_size=24)
any_policy = pytest.mark.parametrize("misses", [1, 3, 6])


def misses_of(policy: TierPolicy, misses: int, drop_to: str = "level") -> TierPolicy:
    """The policy with another patience."""
    return policy.model_copy(update={"misses_allowed": misses, "drop_to": drop_to})


@any_policy
@given(averages)
def test_grace_is_never_exceeded(bohai: TierPolicy, misses: int, history: list[int]) -> None:
    """Nobody is on the watch list for as many months as lead to a drop."""
    assert after(misses_of(bohai, misses), *history).watch < misses


@any_policy
@given(averages, st.integers(min_value=0, max_value=1_000_000))
def test_more_assets_never_mean_a_lower_tier(
    bohai: TierPolicy, misses: int, history: list[int], more: int
) -> None:
    """The tier is monotone in assets."""
    policy = misses_of(bohai, misses)
    poorer, richer = (
        after(policy, *history),
        after(policy, *(average + more for average in history)),
    )

    assert policy.rank(richer.tier) >= policy.rank(poorer.tier)  # type: ignore[operator]


@any_policy
@given(
    st.integers(min_value=-1_000_000, max_value=5_000_000), st.integers(min_value=1, max_value=24)
)
def test_the_same_month_again_and_again_never_flaps(
    bohai: TierPolicy, misses: int, average: int, months: int
) -> None:
    """Who comes to the same every month stays where the first month led."""
    policy = misses_of(bohai, misses)
    first, last = after(policy, average), after(policy, *[average] * months)

    assert (last.tier, last.since, last.watch) == (first.tier, first.since, 0)


@given(averages)
def test_by_one_step_nobody_falls_further_than_one_step(
    bohai: TierPolicy, history: list[int]
) -> None:
    """With `one-step`, a fall is one tier at a time."""
    policy = misses_of(bohai, 2, "one-step")
    places = [
        policy.rank(after(policy, *history[: count + 1]).tier) or 0 for count in range(len(history))
    ]

    assert all(before - now <= 1 for before, now in itertools.pairwise(places))


@given(st.integers(min_value=-(10**10), max_value=10**10))
def test_the_level_is_the_highest_threshold_not_above_the_measure(
    bohai: TierPolicy, yuan: int
) -> None:
    """A level is reached at its threshold, not before."""
    reached = level(bohai, case_of(bohai, month("2026-01", yuan)))
    floors = [0, 5_000_000, 20_000_000, 50_000_000, 200_000_000]

    assert reached == 0 or floors[reached] <= yuan * 100
    assert all(floor > yuan * 100 for floor in floors[reached + 1 :])


def test_an_override_that_ended_within_a_closed_month_ends_the_one_before(
    bohai: TierPolicy,
) -> None:
    """Gold by hand for years, taken back.

    Whether that becomes known before the month is assessed, or after.
    """
    lasting = TierOverridden(
        tier="gold", approver="head", reason="a guest", until=date(2027, 12, 31)
    )
    ended = lasting.model_copy(update={"until": date(2026, 1, 14)})
    facts = month("2026-01", 1)
    known_before = assess(bohai, override(override(Standing(), lasting), ended), facts)
    known_after = override(assess(bohai, override(Standing(), lasting), facts), ended)

    assert known_before == known_after
    assert known_after.override is None
