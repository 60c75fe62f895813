"""Which events are to count where they belong, and where is that?

Pure: an event is late where the month in which it belongs had ended before it was recorded.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from domain.accounts.events import TransactionReversed
from domain.bank.events import DayClosed
from domain.calendar import Month, month_of
from domain.envelope import Recorded
from domain.event import is_own_word
from domain.households.events import WholeMonthClosed
from domain.households.membership import Told
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
            and self.sent(event.source, event.id)
            and not is_own_word(type(event.data))
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


def came_late(event: Recorded, ends: Sequence[Recorded]) -> bool:
    """Whether the month in which an event belongs had ended before it was recorded.

    `ends` are the ends of months of its shard, in order.
    """
    closed = _closing(event, ends)
    return closed is not None and closed.position < event.position


def in_place(
    own: Sequence[Recorded],
    ends: Sequence[Recorded],
    placed: Collection[int],
    told: Mapping[Month, Told],
) -> list[Recorded]:
    """The events of a customer and the ends of months since the first of them, as if those that
    are `placed` (by version) had come in time, each before its month ended, and households and
    groups had come to what is `told`.

    Nothing of what was restated is among them.
    """
    order: list[tuple[int, int, Recorded]] = []
    heard: set[Month] = set()
    for event in own:
        closed = _closing(event, ends) if event.version in placed else None
        if closed is not None and closed.position < event.position:
            there = event._replace(business_date=belongs_on(event))
            order.append((closed.position, event.position, there))
        elif isinstance(said := event.data, WholeMonthClosed):
            heard.add(said.month)
            order.append(
                (event.position, event.position, _heard(event, said.month, told.get(said.month)))
            )
        elif not isinstance(event.data, MonthsRestated):
            order.append((event.position, event.position, event))
    first = min((place for place, _, _ in order), default=None)
    if first is None:
        return []
    order += [(end.position, LAST, end) for end in ends if end.position >= first]
    for month in told.keys() - heard:
        end = next(end for end in ends if _month(end) >= month)
        event = end._replace(stream=own[0].stream)
        order.append((end.position, LAST + 1, _heard(event, month, told[month])))
    return [event for _, _, event in sorted(order, key=lambda each: each[:2])]


def _heard(event: Recorded, month: Month, told: Told | None) -> Recorded:
    """An event that tells what a household or group came to; as it was, where nothing else is
    known.
    """
    if told is None:
        return event
    whole, total, shared, beside = told.whole, told.total, told.shared, told.beside
    said = WholeMonthClosed.model_construct(
        whole=whole, month=month, members=1, total=total, shared=shared, beside=beside
    )
    return event._replace(data=said)


LAST = 2**63
"""Behind all that is put before the end of a month."""


def _closing(event: Recorded, ends: Sequence[Recorded]) -> Recorded | None:
    """The end of month by which the month was closed in which an event belongs."""
    month = month_of(belongs_on(event))
    return next((end for end in ends if _month(end) >= month), None)


def _month(end: Recorded) -> Month:
    assert isinstance(end.data, DayClosed)
    return month_of(end.data.date)


def held(own: Sequence[Recorded], ends: Sequence[Recorded]) -> list[MonthsRestated]:
    """What was restated of a customer and holds, in order: nothing came between, and no month has
    ended.
    """
    return [
        said
        for event in own
        if isinstance(said := event.data, MonthsRestated)
        and event.version == said.after + 1
        and said.ledger.closed_through == _closed_before(event, ends)
    ]


def told_by(own: Sequence[Recorded], ends: Sequence[Recorded]) -> dict[Month, Told]:
    """What the household or group of a customer came to, month by month, as it was told last."""
    holding, told = held(own, ends), dict[Month, Told]()
    for event in own:
        match event.data:
            case WholeMonthClosed(month=month) as said:
                told[month] = Told(said.whole, said.total, said.shared, said.beside)
            case MonthsRestated() as said if said in holding:
                told = dict(said.told)
            case _:
                pass
    return told


def _closed_before(event: Recorded, ends: Sequence[Recorded]) -> Month | None:
    """The last month that had ended before an event."""
    return max((_month(end) for end in ends if end.position < event.position), default=None)
