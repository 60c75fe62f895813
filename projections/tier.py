"""Which tier does this customer stand in, since when, and on what grounds?"""

from collections.abc import Mapping
from functools import partial

from domain.days import DayClosed, Month, month_of, next_month
from domain.facts import MonthlyFacts
from domain.policy import TierPolicy
from domain.recorded import Recorded
from domain.tiering import Standing, TierOverridden, assess, override
from projections.projection import Projection


def evolve(policy: TierPolicy, standing: Standing, event: Recorded, rows: Mapping[Month, MonthlyFacts]) -> Standing:
    """The standing after one more event: a tier set by hand, or a day's end, with the rows of facts that there are by then.

    Rows are of months without a gap, and never change once they are there; so it does no harm if there are later ones.
    """
    match event.data:
        case TierOverridden() as by_hand:
            return override(standing, by_hand)
        case DayClosed(date=closed):
            month = next_month(standing.through) if standing.through else min(rows, default="")
            while month in rows and month <= month_of(closed):
                standing, month = assess(policy, standing, rows[month]), next_month(month)
            return standing
        case _:
            return standing


def tier_under(policy: TierPolicy) -> Projection[Standing]:
    """The projection of standings under a policy."""
    return Projection("tier", 1, Standing(), partial(evolve, policy))
