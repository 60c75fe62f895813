"""One person sets a tier by hand up to what the rule says, and for so long; above that, two."""

from datetime import date, timedelta

import pytest

from domain.tiering.by_hand import doubt_of_length, doubt_of_second, needs_second
from domain.tiering.events import TierOverridden, TierOverrideProposed
from domain.tiering.policy import ByHand, TierPolicy
from tests.conftest import TODAY

UNTIL = TODAY + timedelta(days=30)


def by_hand(tier: str = "diamond", until: date = UNTIL, who: str = "zhang.min") -> TierOverridden:
    """A tier that somebody sets by hand, as was proposed."""
    return TierOverridden(
        tier=tier, approver=who, reason="known", until=until, scheme="retail", proposal="p1"
    )


def proposed(tier: str = "diamond", until: date = UNTIL) -> TierOverrideProposed:
    """What Li Wei proposed."""
    return TierOverrideProposed(
        tier=tier, proposer="li.wei", reason="known", until=until, scheme="retail"
    )


def limited(bohai: TierPolicy, **limit: object) -> TierPolicy:
    """The shipped rule with a limit."""
    return bohai.model_copy(update={"by_hand": ByHand.model_validate(limit)})


@pytest.mark.parametrize(
    ("alone", "tier", "two"),
    [
        ("gold", "affluent", False),
        ("gold", "gold", False),
        ("gold", "platinum", True),
        (None, "mass", True),
        ("gold", "of-another-version", True),
    ],
)
def test_above_a_tier_it_takes_two(
    bohai: TierPolicy, alone: str | None, tier: str, two: bool
) -> None:
    """Where no tier is named, it always does."""
    assert needs_second(limited(bohai, alone=alone), by_hand(tier)) == two


def test_a_rule_without_a_limit_lets_one_person_set_any_tier(bohai: TierPolicy) -> None:
    """For as long as they say."""
    assert not needs_second(bohai, by_hand())
    assert doubt_of_length(bohai, by_hand(until=date(2199, 12, 31)), TODAY) is None


@pytest.mark.parametrize(("days", "field"), [(30, None), (31, "until")])
def test_it_lasts_no_longer_than_the_rule_says(
    bohai: TierPolicy, days: int, field: str | None
) -> None:
    """To the day."""
    said = by_hand(until=TODAY + timedelta(days=days))
    doubt = doubt_of_length(limited(bohai, longest_days=30), said, TODAY)

    assert (doubt.field if doubt else None) == field


@pytest.mark.parametrize(
    ("said", "first", "field"),
    [
        (by_hand(), proposed(), None),
        (by_hand(), None, "proposal"),
        (by_hand().model_copy(update={"proposal": None}), proposed(), "proposal"),
        (by_hand(who="Li-Wei"), proposed(), "approver"),
        (by_hand(), proposed(tier="gold"), "proposal"),
        (by_hand(), proposed(until=UNTIL + timedelta(days=1)), "proposal"),
    ],
)
def test_the_second_person_says_the_same_as_the_first(
    said: TierOverridden, first: TierOverrideProposed | None, field: str | None
) -> None:
    """Another person, the same tier, end and scheme."""
    doubt = doubt_of_second(said, first)

    assert (doubt.field if doubt else None) == field
