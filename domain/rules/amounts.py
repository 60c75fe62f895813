"""How much is `50万`? Amounts as people write them in rules, in minor units."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from domain.accounts.currencies import CODES, MINOR_DIGITS, as_money

_AMOUNT = re.compile(
    r"(-?)([0-9]{1,3}(?:[,_][0-9]{3}){1,6}|[0-9]{1,21})(\.[0-9]{1,12})?"
    r"\s*(万亿|亿|千万|百万|万|千)?\s*(元|[A-Z]{3})?"
)
_TIMES = {
    "千": 10**3,
    "万": 10**4,
    "百万": 10**6,
    "千万": 10**7,
    "亿": 10**8,
    "万亿": 10**12,
}
EXAMPLES = "500,000 CNY, 500_000.00 CNY, 50万 or 5000万元"
BOUNDS = ("at_least", "at_most")
MANY = ("all_of", "any_of")
DEEPEST = 50
"""Levels of a condition, of which each takes two steps down."""


def minor_units(said: str, currency: str) -> int:
    """An amount with its unit, in minor units of a currency.

    Raises `ValueError` with what to write instead.

    >>> minor_units("500_000 CNY", "CNY"), minor_units("50万", "CNY"), minor_units("0.5亿元", "CNY")
    (50000000, 50000000, 5000000000)
    """
    match = _AMOUNT.fullmatch(normalize("NFKC", said).strip())
    if match is None:
        raise ValueError(f"{said} is no amount: write {EXAMPLES}")
    sign, whole, rest, times, unit = match.groups()
    if times is None and unit is None:
        raise ValueError(f"{said} has no unit: write {EXAMPLES}, or minor units without quotes")
    unit = "CNY" if unit == "元" else unit
    if unit is not None and unit not in CODES:
        raise ValueError(f"{said}: there is no currency {unit}")
    if unit not in (None, currency):
        raise ValueError(f"{said}: amounts of this file are in {currency}")
    amount = Decimal(f"{sign}{re.sub('[,_]', '', whole)}{rest or ''}") * _TIMES.get(times or "", 1)
    minor = amount.scaleb(MINOR_DIGITS.get(currency, 2))
    if minor != int(minor):
        raise ValueError(f"{said} has more digits behind the point than {currency} has")
    return int(minor)


class Amounts:
    """Reads a file whose amounts may have units, and notes what cannot be read with its place."""

    def __init__(self, currency: str, is_count: Callable[[str], bool]) -> None:
        self._currency = currency
        self._is_count = is_count
        self.faults: list[str] = []

    def price(self, said: Any, place: str) -> Any:
        """An amount at a place; anything but words is left as it is."""
        try:
            return self._spelt(said)
        except ValueError as why:
            self.faults.append(f"{place}: {why}")
            return 0

    def of(self, quantity: Any, said: Any, place: str) -> Any:
        """What is asked of a quantity: no amount where it is a count."""
        if not isinstance(quantity, str) or not self._is_count(quantity):
            return self.price(said, place)
        if isinstance(said, str):
            self.faults.append(
                f"{place}: {quantity} is no money: write a number without a unit and without quotes"
            )
            return 0
        return said

    def _spelt(self, said: Any) -> Any:
        return minor_units(said, self._currency) if isinstance(said, str) else said

    def condition(self, said: Any, place: str, depth: int = 0) -> Any:
        """A condition, with all that is within it; what is nested too deeply is for others to
        refuse.
        """
        if depth > DEEPEST:
            return said
        if isinstance(said, list | tuple):
            return [
                self.condition(each, f"{place}[{number}]", depth + 1)
                for number, each in enumerate(said)
            ]
        if not isinstance(said, Mapping):
            return said
        return {
            name: self._part(said.get("quantity"), name, each, f"{place}.{name}", depth + 1)
            for name, each in said.items()
        }

    def _part(self, quantity: Any, name: str, said: Any, place: str, depth: int) -> Any:
        if name in BOUNDS:
            return self.of(quantity, said, place)
        return self.condition(said, place, depth) if name in MANY else said


class Written(Amounts):
    """Writes each amount with its unit, as it may stand in a file."""

    def _spelt(self, said: Any) -> Any:
        return as_money(said, self._currency) if isinstance(said, int) else said
