"""Which events are to count where they belong, and where is that?

Pure: an event is late where the month in which it belongs had ended before it was recorded.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from domain.accounts.events import (
    AccountClosed,
    AccountOpened,
    AccountShared,
    BalanceReported,
    ProductClosed,
    ProductOpened,
    TransactionPosted,
    TransactionReversed,
)
from domain.bank.events import DayClosed
from domain.calendar import Month, month_of
from domain.customers.events import CreditRated, CustomerOnboarded, ProfileFactStated
from domain.envelope import Recorded
from domain.households.events import WholeMonthClosed
from domain.households.membership import Told
from domain.restatements.events import MonthsRestated

PLACED = (
    AccountOpened,
    AccountClosed,
    AccountShared,
    BalanceReported,
    CreditRated,
    CustomerOnboarded,
    ProductOpened,
    ProductClosed,
    ProfileFactStated,
    TransactionPosted,
    TransactionReversed,
)
"""What can be put in its place: what makes a customer's books, and is told of them.

Not who belongs to which household: its sum was told to others.
"""
LAST = 2**63
"""Behind all that is put before the end of a month."""


@dataclass(frozen=True)
class Scope:
    """Months, customers (none: all), and whose events: of one source, with ids that begin so; and
    whether reversals are meant.
    """

    months: tuple[Month, ...]
    customers: tuple[str, ...] = ()
    source: str | None = None
    ids: str | None = None
    reversals: bool = False

    def has(self, event: Recorded) -> bool:
        """Whether an event of a customer is meant, if it came late."""
        return (
            isinstance(event.data, PLACED)
            and (self.reversals or not isinstance(event.data, TransactionReversed))
            and month_of(belongs_on(event)) in self.months
            and (not self.customers or event.stream in self.customers)
            and self.sent(event.source, event.id)
        )

    def sent(self, source: str, name: str) -> bool:
        """Whether an event of this source and id is of the batch, if one is named."""
        return self.source in (None, source) and name.startswith(self.ids or "")


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


def late_in(
    own: Sequence[Recorded], ends: Sequence[Recorded], scope: Scope, upto: int | None = None
) -> frozenset[int]:
    """The versions of the events of a customer that are meant, and came late; up to a position.

    A reversal is left where it is if what it takes back came late, and is not meant.
    """
    late = {
        event.version: event
        for event in own
        if (upto is None or event.position <= upto) and came_late(event, ends)
    }
    meant = {version for version, event in late.items() if scope.has(event)}
    left = {(event.source, event.id) for version, event in late.items() if version not in meant}
    return frozenset(
        version
        for version in meant
        if not isinstance(said := late[version].data, TransactionReversed)
        or (late[version].source, said.event) not in left
    )


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
    first = min((place for place, _, _ in order), default=LAST)
    order += [(end.position, LAST, end) for end in ends if end.position >= first]
    return [event for _, _, event in sorted(order, key=lambda each: each[:2])]


def held(own: Sequence[Recorded], ends: Sequence[Recorded]) -> list[Recorded]:
    """The words of restatements of a customer that hold, in order: nothing came between, and no
    month has ended.

    The fold of a customer's books says the same by the month through which they were closed: who
    has anything late was there when that month ended.
    """
    return [
        event
        for event in own
        if isinstance(said := event.data, MonthsRestated)
        and event.version == said.after + 1
        and said.through == ended_before(event.position, ends)
    ]


def told_by(own: Sequence[Recorded]) -> dict[Month, tuple[Told, ...]]:
    """What the households and groups of a customer came to, month by month: of each the last."""
    found: dict[Month, dict[str, Told]] = {}
    for event in own:
        if isinstance(said := event.data, WholeMonthClosed):
            told = Told(said.whole, said.total, said.shared, said.beside)
            found.setdefault(said.month, {})[said.whole] = told
    return {month: tuple(found[month].values()) for month in sorted(found)}


def ended_before(position: int, ends: Sequence[Recorded]) -> Month | None:
    """The last month that had ended before a position; None if none had."""
    return max((month_ended(end) for end in ends if end.position < position), default=None)


def month_ended(end: Recorded) -> Month:
    """The month that an end of day ended."""
    assert isinstance(end.data, DayClosed)
    return month_of(end.data.date)


def _closing(event: Recorded, ends: Sequence[Recorded]) -> Recorded | None:
    """The end of month by which the month was closed in which an event belongs."""
    month = month_of(belongs_on(event))
    return next((end for end in ends if month_ended(end) >= month), None)
