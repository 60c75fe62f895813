"""What would change under another policy, or with another threshold?

Read-only, over the facts of the whole bank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from domain.rules.conditions import AtLeast
from domain.tiering.policy import TierPolicy, before
from replay.what_if.columns import Columns
from replay.what_if.compare import Comparison, compare
from replay.what_if.compiled import standings


@dataclass(frozen=True)
class Point:
    """With this threshold so many customers would stand in the tier or above."""

    threshold: int
    customers: int


AROUND = (50, 70, 85, 100, 115, 130, 150)
"""What is tried of a threshold, in percent."""


@dataclass(frozen=True)
class Curve:
    """How many would stand in a tier of a policy or above, threshold by threshold."""

    policy: str
    tier: str
    points: tuple[Point, ...]


def what_if(
    columns: Columns, live: Mapping[str, TierPolicy], candidates: Sequence[TierPolicy]
) -> list[Comparison]:
    """Each candidate compared with the policy of its scheme that is live, or with none yet."""
    against = [live.get(each.scheme) or before(each) for each in candidates]
    olds = list({policy.digest: policy for policy in against}.values())
    found = standings([*olds, *candidates], columns)
    stood = {policy.digest: each for policy, each in zip(olds, found, strict=False)}
    return [
        compare(columns, old, candidate, stood[old.digest], each)
        for old, candidate, each in zip(against, candidates, found[len(olds) :], strict=True)
    ]


def sensitivity(
    columns: Columns, policy: TierPolicy, tier: str, thresholds: Sequence[int]
) -> Curve:
    """How many would stand in a tier or above, for several thresholds of it.

    Raises `ValueError` if the tier has no single threshold, or one of these would make another tier
    unreachable.
    """
    place = policy.rank(tier)
    if not place or not isinstance(policy.tiers[place].reach, AtLeast):
        raise ValueError(
            f"{policy.label} has no tier {tier} with a single threshold (quantity and at_least)"
        )
    found = standings(
        [_with_threshold(policy, place, threshold) for threshold in thresholds], columns
    )
    points = (
        Point(threshold, int((each.tier >= place).sum()))
        for threshold, each in zip(thresholds, found, strict=True)
    )
    return Curve(policy.label, tier, tuple(points))


def around(columns: Columns, policy: TierPolicy) -> list[Curve]:
    """The same for each tier that has a single threshold, from half of it to half more.

    A threshold by which another tier would be unreachable is left out.
    """
    found = list[Curve]()
    for place, tier in enumerate(policy.tiers):
        if isinstance(tier.reach, AtLeast):
            bounds = sorted({tier.reach.at_least * percent // 100 for percent in AROUND})
            possible = [bound for bound in bounds if _is_possible(policy, place, bound)]
            found.append(sensitivity(columns, policy, tier.tier, possible))
    return found


def _is_possible(policy: TierPolicy, place: int, threshold: int) -> bool:
    try:
        _with_threshold(policy, place, threshold)
    except ValueError:
        return False
    return True


def _with_threshold(policy: TierPolicy, place: int, threshold: int) -> TierPolicy:
    said = policy.model_dump()
    said["tiers"][place]["reach"]["at_least"] = threshold
    try:
        return TierPolicy.model_validate(said)
    except ValidationError as error:
        raise ValueError(
            f"with a threshold of {threshold}: "
            f"{error.errors()[0]['msg'].removeprefix('Value error, ')}"
        ) from error
