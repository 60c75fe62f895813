"""Which month does a day lie in, and which days has a month?"""

import calendar
from datetime import date
from functools import lru_cache

Month = str
"""A calendar month as `YYYY-MM`; sorts as text in order of time."""


@lru_cache(maxsize=4096)
def month_of(day: date) -> Month:
    """The month a day lies in.

    >>> month_of(date(1993, 2, 7))
    '1993-02'
    """
    return day.isoformat()[:7]


@lru_cache(maxsize=4096)
def first_day(month: Month) -> date:
    """The first day of a month."""
    return date(int(month[:4]), int(month[5:7]), 1)


@lru_cache(maxsize=4096)
def next_month(month: Month) -> Month:
    """The month after.

    >>> next_month("1993-12")
    '1994-01'
    """
    year, number = int(month[:4]), int(month[5:7])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


@lru_cache(maxsize=4096)
def month_before(month: Month) -> Month:
    """The month before.

    >>> month_before("1994-01")
    '1993-12'
    """
    year, number = int(month[:4]), int(month[5:7])
    return f"{year - (number == 1):04d}-{(number - 2) % 12 + 1:02d}"


@lru_cache(maxsize=4096)
def days_in(month: Month) -> int:
    """How many days a month has.

    >>> days_in("2024-02")
    29
    """
    return calendar.monthrange(int(month[:4]), int(month[5:7]))[1]


@lru_cache(maxsize=4096)
def numbers_of(month: Month) -> dict[str, int]:
    """The number of each day of a month, by its name; not to be changed.

    >>> numbers_of("2026-02")["2026-02-28"]
    28
    """
    return {f"{month}-{number:02d}": number for number in range(1, days_in(month) + 1)}


@lru_cache(maxsize=4096)
def days_of_three(month: Month) -> int:
    """How many days a month and the two before it have.

    >>> days_of_three("2026-03")
    90
    """
    before = month_before(month)
    return days_in(month) + days_in(before) + days_in(month_before(before))


@lru_cache(maxsize=4096)
def last_day(month: Month) -> date:
    """The last day of a month."""
    return first_day(month).replace(day=days_in(month))


def ends_month(day: date) -> bool:
    """Whether a day is the last one of its month."""
    return day.day == days_in(month_of(day))
