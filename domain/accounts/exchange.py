"""What is money of another currency worth in the bank's own?

Rates as events, each from its business date on, exactly.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.accounts.events import ExchangeRateFixed
from domain.calendar import Month, days_in
from domain.event import Currency, Interaction
from domain.fastcopy import changed


class Rate(NamedTuple):
    """So many minor units of the base currency for so many of another."""

    numerator: int
    denominator: int

    def convert(self, amount: int) -> int:
        """An amount in the base currency, rounded half up.

        >>> Rate(71_234, 10_000).convert(100)
        712
        """
        return (2 * amount * self.numerator + self.denominator) // (2 * self.denominator)


@dataclass(frozen=True)
class Rates:
    """The bank's base currency, and for every other one the rates by business date (`YYYY-MM-DD`).

    Of one date, the last recorded.
    """

    base: Currency | None = None
    fixed: dict[Currency, dict[str, Rate]] = field(default_factory=dict)

    def of_month(self, currency: Currency, month: Month) -> list[Rate] | None:
        """The rate of each day of a month: the last that was fixed on it or before, else the first.

        None if there is none by its end.
        """
        dates = sorted(date for date in self.fixed.get(currency, ()) if date[:7] <= month)
        if not dates:
            return None
        days = (f"{month}-{number:02d}" for number in range(1, days_in(month) + 1))
        return [self.fixed[currency][dates[max(bisect_right(dates, day) - 1, 0)]] for day in days]


NO_RATES = Rates()


def fixed(rates: Rates, event: Interaction, day: str) -> Rates:
    """The rates after one more event.

    A bank has one base currency: the first that a rate is told in; others are not heard.
    """
    match event:
        case ExchangeRateFixed(
            currency=currency, base=base, numerator=numerator, denominator=denominator
        ) if base == (rates.base or base) != currency:
            known = {**rates.fixed.get(currency, {}), day: Rate(numerator, denominator)}
            return changed(rates, base=base, fixed={**rates.fixed, currency: known})
        case _:
            return rates
