"""What did each month come to? The rows of facts that every tiering rule reads."""

from dataclasses import dataclass, field

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from projections.projection import Projection


@dataclass(frozen=True, slots=True)
class Months:
    """All rows of facts of one customer, by month."""

    rows: dict[Month, MonthlyFacts] = field(default_factory=dict)


def evolve(months: Months, facts: MonthlyFacts) -> Months:
    """The rows with one more."""
    return Months({**months.rows, facts.month: facts})


MONTHS = Projection("months", 3, Months(), evolve)
