"""What did a month of one customer come to?

Rows of facts without any rule: what every tiering policy reads.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from domain.calendar import Month
from domain.event import AssetClass, unsaid


@dataclass(frozen=True)
class AssetFacts:
    """One asset class in one currency over one month, in minor units.

    `balance_days` is the sum of the end-of-day balances, `average` that sum over the days of the
    month, rounded half up, `closing` the balance at the end of the last day, and `ninety_days` the
    sum of the end-of-day balances of the 90 days up to the month's end.
    """

    asset_class: AssetClass
    currency: str
    balance_days: int
    average: int
    closing: int
    ninety_days: int


@dataclass(frozen=True)
class Traits:
    """What was known of the customer at the month's end, beside money.

    None where nothing was ever stated.
    """

    kind: str | None = None
    rating: str | None = None
    industry: str | None = None
    region: str | None = None
    born: date | None = None
    holdings: tuple[str, ...] = ()
    open_cases: int = 0


@dataclass(frozen=True)
class MonthlyFacts:
    """What one month of one customer came to: minor units, counts, days.

    `active` has the bit of each active day, that of day 1 being the second. `streak` counts the
    months in a row, this one included, that had an active day; below zero, that had none. `wholes`
    has the household and the company group that the customer belonged to at its end, with the share
    in permille.
    """

    month: Month
    days: int
    assets: tuple[AssetFacts, ...] = ()
    transactions: int = 0
    value_in: dict[str, int] = field(default_factory=dict)
    value_out: dict[str, int] = field(default_factory=dict)
    active_days: int = 0
    products: int = 0
    tenure_months: int = 1
    streak: int = -1
    traits: Traits = field(default_factory=Traits)
    wholes: dict[str, int] = field(default_factory=dict)
    active: Annotated[int, unsaid(0)] = 0
