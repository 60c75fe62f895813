"""Which bounds did a month meet, and by how much did it miss the others?"""

from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.rules.conditions import Case, Gap, held, missing
from domain.tiering.assessment import Grounds, case_of, level
from domain.tiering.policy import TierPolicy


class Bounds(NamedTuple):
    """What the tier that was reached asks for, and what there was; and, for each way, what was
    missing for the tier `missed_for`.

    That is the tier that was held, if the month missed it, else the next one up; None above the
    highest.
    """

    met: tuple[Gap, ...]
    missed_for: str | None
    missed: tuple[tuple[Gap, ...], ...]


def bounds_of(
    policy: TierPolicy, facts: MonthlyFacts, grounds: Grounds, before: str | None
) -> Bounds:
    """The bounds of a month that was assessed on these grounds, by who stood in a tier before."""
    case = _counted(policy, facts, grounds)
    reached = policy.tiers[policy.rank(grounds.reached) or 0].reach
    met = held(reached, case) if reached else ()
    wanted = max(policy.rank(before) or 0, (policy.rank(grounds.reached) or 0) + 1)
    if wanted == len(policy.tiers):
        return Bounds(met, None, ())
    tier = policy.tiers[wanted]
    return Bounds(met, tier.tier, tuple(missing(tier.reach, case)) if tier.reach else ())


def _counted(policy: TierPolicy, facts: MonthlyFacts, grounds: Grounds) -> Case:
    """What counted: the customer's own month, or the household or group that reached more."""
    own = case_of(policy, facts)
    if grounds.whole is None:
        return own
    whole = Case(grounds.together, facts, own.stage)
    return whole if level(policy, whole) > level(policy, own) else own
