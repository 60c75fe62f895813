"""Whose time is over?

Customers who left so long ago that the law lets nobody keep what is known of them any more.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from domain.bank.events import DayClosed
from domain.customers.events import CustomerLeft, CustomerOnboarded
from domain.event_types import type_key
from replay.erasure.persons import all_numbers, is_known
from replay.history.as_of import history
from streams.journal import Journal

EVENT_TYPES = [type_key(CustomerLeft), type_key(CustomerOnboarded)]


class Left(NamedTuple):
    """A customer who left on a day, and from which day on what is known of them must be gone."""

    stream: str
    left: date
    until: date


def all_who_left(journal: Journal, years: int) -> Iterator[Left]:
    """Everybody who left and did not come back, with the end of so many years."""
    for shard in journal:
        found: dict[str, date] = {}
        for event in shard.events(EVENT_TYPES):
            if isinstance(event.data, CustomerLeft):
                found[event.stream] = event.business_date
            else:
                found.pop(event.stream, None)
        yield from (
            Left(stream, left, _years_later(left, years)) for stream, left in sorted(found.items())
        )


def due(journal: Journal, years: int) -> list[Left]:
    """Those whose time is over by the last day that the bank has closed.

    Of a journal opened for auditors, the restricted too. A person with several numbers is over when
    all of them are of which anything is known.
    """
    today = last_day_closed(journal)
    over = [
        left for left in all_who_left(journal, years) if today is not None and left.until <= today
    ]
    gone = {left.stream for left in over}
    return [
        left
        for left in over
        if gone.issuperset(
            number for number in all_numbers(journal, [left.stream]) if is_known(journal, number)
        )
    ]


def last_day_closed(journal: Journal) -> date | None:
    """The last business day that the bank has closed.

    By this retention is counted, and by no clock.
    """
    days = (
        event.data.date
        for event in history(journal[0], "shard:0")
        if isinstance(event.data, DayClosed)
    )
    return max(days, default=None)


def _years_later(day: date, years: int) -> date:
    """The same day so many years later; the first of March for a leap day that is not there."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
