"""Which bounds a month met and missed, by itself or by what the household came to."""

from typing import Any

import pytest

from domain.rules.conditions import Gap
from domain.tiering.assessment import judged
from domain.tiering.bounds import bounds_of
from domain.tiering.policy import TierPolicy
from tests.domain.accounts.months import AFFLUENT, GOLD, MASS, month

YUAN = 100


def of_households(rule: TierPolicy) -> TierPolicy:
    """The rule, by what a household comes to."""
    said: dict[str, Any] = {**rule.said, "scope": {"of": "household", "take": "sum"}}
    return TierPolicy.model_validate(said)


def assets(needs: int, has: int) -> tuple[Gap, ...]:
    """What a bound of assets asks for and what there was, in yuan."""
    return (Gap("assets", needs * YUAN, has * YUAN),)


@pytest.mark.parametrize(
    ("own", "before", "met", "missed_for", "missed"),
    [
        (MASS, None, (), "affluent", assets(50_000, MASS)),
        (GOLD, None, assets(200_000, GOLD), "platinum", assets(500_000, GOLD)),
        (AFFLUENT, "gold", assets(50_000, AFFLUENT), "gold", assets(200_000, AFFLUENT)),
        (AFFLUENT, "mass", assets(50_000, AFFLUENT), "gold", assets(200_000, AFFLUENT)),
    ],
)
def test_what_was_missed_is_the_tier_held_before_or_the_next(
    bohai: TierPolicy,
    own: int,
    before: str | None,
    met: tuple[Gap, ...],
    missed_for: str,
    missed: tuple[Gap, ...],
) -> None:
    """By a customer alone."""
    facts = month("2026-01", deposit=own)
    found = bounds_of(bohai, facts, judged(bohai, facts)[1], before)
    assert (found.met, found.missed_for, found.missed) == (met, missed_for, (missed,))


def test_above_the_highest_tier_nothing_is_missed(bohai: TierPolicy) -> None:
    """It has none above it."""
    facts = month("2026-01", deposit=10**9)
    found = bounds_of(bohai, facts, judged(bohai, facts)[1], "mass")
    assert (found.missed_for, found.missed) == (None, ())


@pytest.mark.parametrize("whole", [GOLD, 3 * AFFLUENT // 2])
def test_a_household_that_reached_more_or_is_nearer_is_what_is_said(
    bohai: TierPolicy, whole: int
) -> None:
    """Not the customer's own month, which reached less, or as much and is further."""
    policy = of_households(bohai)
    own = month("2026-01", deposit=AFFLUENT, wholes={"household:7": 1000})
    together = month("2026-01", deposit=whole)
    _, grounds = judged(policy, own, [together])
    found = bounds_of(policy, own, grounds, None)

    assert [gap.has for gap in (*found.met, *found.missed[0])] == [whole * YUAN] * 2
