"""What did each month come to? The rows of facts that every tiering rule reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import Month, month_of
from domain.envelope import Recorded
from domain.restatements.events import MonthsRestated
from projections.projection import Projection


class Superseded(NamedTuple):
    """What was believed of months before they were restated, by the event of this version, when
    `through` was the last month that had ended.

    The `rows` of then, and the months that had none.
    """

    version: int
    through: Month
    rows: dict[Month, MonthlyFacts]
    fresh: tuple[Month, ...] = ()

    def is_behind(self, event: Recorded) -> bool:
        """Whether an event came before it: one of the customer's own, or a day's end."""
        if isinstance(event.data, DayClosed):
            return month_of(event.data.date) <= self.through
        return event.version < self.version


@dataclass(frozen=True, slots=True)
class Months:
    """All rows of facts of one customer, by month; and what was believed of those that were
    restated, which no digest of another customer knows.
    """

    rows: dict[Month, MonthlyFacts] = field(default_factory=dict)
    superseded: tuple[Superseded, ...] | msgspec.UnsetType = msgspec.UNSET

    def heeds(self, event: Recorded) -> bool:
        """Whether an event counts: all but a word of a restatement that did not hold."""
        return not isinstance(event.data, MonthsRestated) or any(
            each.version == event.version for each in self.superseded or ()
        )

    def known_at(self, event: Recorded) -> Mapping[Month, MonthlyFacts]:
        """The rows as they were believed when an event came; there may be later months."""
        rows = self.rows
        for each in reversed(self.superseded or ()):
            if each.is_behind(event):
                there = {month: row for month, row in rows.items() if month not in each.fresh}
                rows = {**there, **each.rows}
        return rows


def evolve(months: Months, facts: MonthlyFacts) -> Months:
    """The rows with one more."""
    return Months({**months.rows, facts.month: facts}, months.superseded)


def restate(months: Months, said: MonthsRestated, version: int) -> Months:
    """The rows with some restated, and what was believed of them before."""
    now = {row.month: row for row in said.rows}
    was = {name: months.rows[name] for name in (*now, *said.gone) if name in months.rows}
    fresh = tuple(sorted(now.keys() - was.keys()))
    before = Superseded(version, said.through, was, fresh)
    rows = {name: row for name, row in months.rows.items() if name not in said.gone}
    return Months({**rows, **now}, (*(months.superseded or ()), before))


MONTHS = Projection("months", 3, Months(), evolve)
