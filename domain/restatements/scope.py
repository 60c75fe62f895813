"""Which events are to count where they belong, and where is that?

Pure: an event is late where the month in which it belongs had ended before it was recorded.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from domain.accounts.events import TransactionReversed
from domain.bank.events import DayClosed
from domain.calendar import Month, month_of
from domain.envelope import Recorded
from domain.event import is_own_word
from domain.restatements.events import MonthsRestated


@dataclass(frozen=True)
class Scope:
    """Months, customers (none: all), and whose events: of one source, with ids that begin so."""

    months: tuple[Month, ...]
    customers: tuple[str, ...] = ()
    source: str | None = None
    ids: str | None = None

    def has(self, event: Recorded) -> bool:
        """Whether an event of a customer is meant, if it came late.

        What follows from others, or the bank's own people decided, stays where it is.
        """
        return (
            month_of(belongs_on(event)) in self.months
            and (not self.customers or event.stream in self.customers)
            and self.source in (None, event.source)
            and event.id.startswith(self.ids or "")
            and not is_own_word(type(event.data))
        )


def overlap(one: Scope, other: Scope) -> bool:
    """Whether two may be about the same month of the same customer."""
    return bool({*one.months} & {*other.months}) and (
        not one.customers or not other.customers or bool({*one.customers} & {*other.customers})
    )


def belongs_on(event: Recorded) -> date:
    """The day on which an event counts if it is put in its place: its business date; of a reversal,
    the day of what it takes back.
    """
    match event.data:
        case TransactionReversed(posted=posted):
            return posted
        case _:
            return event.business_date


def came_late(event: Recorded, ends: Sequence[Recorded]) -> bool:
    """Whether the month in which an event belongs had ended before it was recorded.

    `ends` are the ends of months of its shard, in order.
    """
    closed = _closing(event, ends)
    return closed is not None and closed.position < event.position


def in_place(
    own: Sequence[Recorded], ends: Sequence[Recorded], placed: Collection[int]
) -> list[Recorded]:
    """The events of a customer and the ends of months since the first of them, as if those that
    are `placed` (by version) had come in time: each before its month ended.

    Nothing of what was restated is among them.
    """
    order: list[tuple[int, int, Recorded]] = []
    for event in own:
        closed = _closing(event, ends) if event.version in placed else None
        if closed is not None and closed.position < event.position:
            there = event._replace(business_date=belongs_on(event))
            order.append((closed.position, event.position, there))
        elif not isinstance(event.data, MonthsRestated):
            order.append((event.position, event.position, event))
    first = min((place for place, _, _ in order), default=None)
    if first is None:
        return []
    order += [(end.position, LAST, end) for end in ends if end.position >= first]
    return [event for _, _, event in sorted(order, key=lambda each: each[:2])]


LAST = 2**63
"""Behind all that is put before the end of a month."""


def _closing(event: Recorded, ends: Sequence[Recorded]) -> Recorded | None:
    """The end of month by which the month was closed in which an event belongs."""
    month = month_of(belongs_on(event))
    return next((end for end in ends if _month(end) >= month), None)


def _month(end: Recorded) -> Month:
    assert isinstance(end.data, DayClosed)
    return month_of(end.data.date)


def holds(said: Recorded, ends: Sequence[Recorded]) -> bool:
    """Whether restated months hold: whether nothing came between, and no month has ended."""
    data = said.data
    assert isinstance(data, MonthsRestated)
    closed = max((_month(end) for end in ends if end.position < said.position), default=None)
    return said.version == data.after + 1 and closed == data.ledger.closed_through


def placed_by(restated: Sequence[Recorded], ends: Sequence[Recorded]) -> tuple[int, ...] | None:
    """The versions of the events that count where they belong, after some restatements of one
    customer; None if no restatement ever held.
    """
    held = [each.data for each in restated if holds(each, ends)]
    last = held[-1] if held else None
    assert last is None or isinstance(last, MonthsRestated)
    return None if last is None else last.placed
