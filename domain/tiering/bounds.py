"""Which bounds did a month meet, and by how much did it miss the others?"""

from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.rules.conditions import Case, Condition, Gap, held, missing
from domain.tiering.assessment import Grounds, case_of
from domain.tiering.outlook import better_or_nearer
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
    """The bounds of a month that was assessed on these grounds, by who stood in a tier before.

    Said of the customer, or of the household or group where it reached more or was nearer.
    """
    reached, held_before = policy.rank(grounds.reached) or 0, policy.rank(before) or 0
    wanted = max(held_before, reached + 1)
    above = policy.tiers[wanted] if wanted < len(policy.tiers) else None
    case = _counted(policy, facts, grounds, above.reach if above else None)
    asks = policy.tiers[reached].reach
    return Bounds(
        held(asks, case) if asks else (),
        above.tier if above else None,
        tuple(missing(above.reach, case)) if above and above.reach else (),
    )


def _counted(
    policy: TierPolicy, facts: MonthlyFacts, grounds: Grounds, above: Condition | None
) -> Case:
    """What counted: the customer's own month, or that of the household or group.

    Trap: where the best of its members counted, their stage of life is not known any more.
    """
    own = case_of(policy, facts)
    if grounds.whole is None:
        return own
    return better_or_nearer(policy, own, Case(grounds.together, facts, own.stage), above)
