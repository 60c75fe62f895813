"""Which complaints of a customer are open, and how many were at each month's end?

Months' ends are only added: whoever reads them beside the months, as a tier that is frozen in a
dispute does, finds the same whenever it reads. A month is disputed by the complaints that were open
when the bank closed it, whenever the customer became known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import Month, month_of
from domain.cases.events import ComplaintClosed, ComplaintOpened, ComplaintWithdrawn
from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.fastcopy import changed
from projections.bank.day_end import CONTEXT, BankContext, ends_a_month
from projections.projection import Group, Projection


class Disputed(NamedTuple):
    """So many complaints were open when the months after one, through another, were
    closed together.
    """

    after: Month
    through: Month
    open: int


@dataclass(frozen=True)
class Complaints:
    """The open complaints by case, with the day on which each was opened; how many ended.

    And the months that ended with any open.
    """

    open: dict[str, date] = field(default_factory=dict)
    closed: int = 0
    disputed: tuple[Disputed, ...] = ()


def evolve(complaints: Complaints, event: Recorded) -> Complaints:
    """The complaints after one more event."""
    match event.data:
        case ComplaintOpened(case=case):
            return changed(complaints, open={**complaints.open, case: event.business_date})
        case ComplaintClosed(case=case) | ComplaintWithdrawn(case=case):
            others = {name: day for name, day in complaints.open.items() if name != case}
            return changed(complaints, open=others, closed=complaints.closed + 1)
        case DayClosed(date=day) if complaints.open and ends_a_month(event.data):
            bank = event.context or BankContext(closed=month_of(day), closed_at=event.position)
            return (
                _month_ended(complaints, bank) if bank.closed_at == event.position else complaints
            )
        case _:
            return complaints


def _month_ended(complaints: Complaints, bank: BankContext) -> Complaints:
    """The complaints after a month's end.

    One that is told again, or comes behind a later one, closed nothing, and is not asked.
    """
    last = complaints.disputed[-1].through if complaints.disputed else ""
    if bank.closed <= last:
        return complaints
    ended = Disputed(bank.closed_before, bank.closed, len(complaints.open))
    return changed(complaints, disputed=(*complaints.disputed, ended))


def with_disputes(
    rows: Mapping[Month, MonthlyFacts], complaints: Complaints
) -> Mapping[Month, MonthlyFacts]:
    """The months of a customer, each with how many complaints were open at its end."""
    if not complaints.disputed:
        return rows
    return {month: _with_open(facts, complaints) for month, facts in rows.items()}


def _with_open(facts: MonthlyFacts, complaints: Complaints) -> MonthlyFacts:
    found = next(
        (each.open for each in complaints.disputed if each.after < facts.month <= each.through), 0
    )
    return changed(facts, traits=changed(facts.traits, open_cases=found)) if found else facts


class States(NamedTuple):
    """What is known of a customer's complaints."""

    complaints: Complaints


def _evolve_all(states: States, event: Recorded) -> States:
    return States(evolve(states.complaints, event))


def due(complaints: Complaints) -> date | None:
    """Any day, as long as a complaint is open."""
    return date.min if complaints.open else None


COMPLAINTS = Projection("complaints", 1, Complaints(), evolve, due)
EVENT_TYPES = type_keys(ComplaintOpened, ComplaintClosed, ComplaintWithdrawn)
CASES = Group(
    "cases@1",
    ("customer",),
    States,
    (COMPLAINTS,),
    _evolve_all,
    EVENT_TYPES,
    is_broadcast=ends_a_month,
    context=CONTEXT,
)
