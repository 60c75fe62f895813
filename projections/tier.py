"""Which tier does this customer stand in, since when, and on what grounds?"""

from functools import partial

from domain.facts import MonthlyFacts
from domain.policy import TierPolicy
from domain.recorded import Recorded
from domain.tiering import Standing, TierOverridden, assess, override
from projections.projection import Projection


def evolve(policy: TierPolicy, standing: Standing, event: Recorded | MonthlyFacts) -> Standing:
    """The standing after a month's facts, or after one more event."""
    match event:
        case MonthlyFacts() as facts:
            return assess(policy, standing, facts)
        case Recorded():
            return override(standing, event.data) if isinstance(event.data, TierOverridden) else standing


def tier_under(policy: TierPolicy) -> Projection[Standing]:
    """The projection of standings under a policy."""
    return Projection("tier", 1, Standing(), partial(evolve, policy))
