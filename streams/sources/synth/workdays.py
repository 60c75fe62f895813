"""On which days does the synthetic bank's country work?

By the State Council's notice for 2026; in other years on Monday to Friday.
"""

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from domain.calendar import Month, days_in, first_day

ZONE = timezone(timedelta(hours=8))
_ONE = timedelta(days=1)


def _days(first: date, last: date) -> frozenset[date]:
    return frozenset(first + _ONE * each for each in range((last - first).days + 1))


SPRING_FESTIVAL = _days(date(2026, 2, 15), date(2026, 2, 23))
FESTIVALS = (
    _days(date(2026, 1, 1), date(2026, 1, 3))
    | SPRING_FESTIVAL
    | _days(date(2026, 4, 4), date(2026, 4, 6))
    | _days(date(2026, 5, 1), date(2026, 5, 5))
    | _days(date(2026, 6, 19), date(2026, 6, 21))
    | _days(date(2026, 9, 25), date(2026, 9, 27))
    | _days(date(2026, 10, 1), date(2026, 10, 7))
)
MADE_UP = frozenset(
    date(2026, month, day) for month, day in ((1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10))
)
"""Saturdays and Sundays on which people work instead."""


def works(day: date) -> bool:
    """Whether people work on a day.

    >>> works(date(2026, 2, 16)), works(date(2026, 2, 28)), works(date(2026, 3, 1))
    (False, True, False)
    """
    return day in MADE_UP or (day.weekday() < 5 and day not in FESTIVALS)


def worked_by(day: date) -> date:
    """The day, or the last one before it on which people work.

    >>> worked_by(date(2026, 5, 10))
    datetime.date(2026, 5, 9)
    """
    while not works(day):
        day -= _ONE
    return day


class MonthOfDays(NamedTuple):
    """A month: when it begins, in seconds since 1970, its days, and on which people work."""

    year: int
    number: int
    begins: int
    days: tuple[date, ...]
    worked: tuple[bool, ...]


@lru_cache(maxsize=4)
def month_of_days(month: Month) -> MonthOfDays:
    """What there is to know of a month."""
    first = first_day(month)
    days = tuple(first + _ONE * each for each in range(days_in(month)))
    begins = int(datetime(first.year, first.month, 1, tzinfo=ZONE).timestamp())
    return MonthOfDays(first.year, first.month, begins, days, tuple(map(works, days)))
