"""How are the facts of a whole bank kept so that all can be looked at in seconds?

As columns of numbers, one file each.

A customer's rows lie together, in order of months. Words are kept once and stand in the columns as
numbers; what a row has several of (asset classes, currencies) lies in columns of its own, with an
index of where each row begins.
"""

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts, Traits
from domain.calendar import Month, days_in

FORMAT = 2
"""What a folder of columns says it is; another one is not read."""
LIMIT = 10**15
"""Minor units: no balance of one class is larger, so that weighted sums stay within 64 bits."""
NOTHING = -1
Numbers = NDArray[Any]


class TooLarge(ValueError):
    """Something that cannot be kept in a column; says which column."""


@dataclass(frozen=True)
class Columns:
    """The facts of many customers.

    `first[c]` to `first[c + 1]` are the rows of customer `c`, and so for what rows have several of.
    """

    names: Numbers
    first: Numbers
    month: Numbers
    transactions: Numbers
    active_days: Numbers
    products: Numbers
    tenure: Numbers
    streak: Numbers
    open_cases: Numbers
    kind: Numbers
    rating: Numbers
    industry: Numbers
    region: Numbers
    born: Numbers
    holdings: Numbers
    wholes: Numbers
    asset_first: Numbers
    asset: Numbers
    balance_days: Numbers
    average: Numbers
    closing: Numbers
    ninety_days: Numbers
    value_first: Numbers
    value_currency: Numbers
    came: Numbers
    went: Numbers
    words: dict[str, list[str]]
    apart: int = 0
    """Customers who are left out, because they have more than any column holds."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def rows(self) -> int:
        """How many months of customers there are."""
        return len(self.month)

    def name(self, customer: int) -> str:
        """The stream of a customer."""
        return bytes(self.names[customer]).decode()

    def facts(self, row: int) -> MonthlyFacts:
        """A row as it was."""
        name = month_named(int(self.month[row]))
        values = range(int(self.value_first[row]), int(self.value_first[row + 1]))
        return MonthlyFacts(
            month=name,
            days=days_in(name),
            assets=tuple(
                self._asset(index)
                for index in range(int(self.asset_first[row]), int(self.asset_first[row + 1]))
            ),
            transactions=int(self.transactions[row]),
            value_in={
                self.words["currency"][self.value_currency[index]]: int(self.came[index])
                for index in values
            },
            value_out={
                self.words["currency"][self.value_currency[index]]: int(self.went[index])
                for index in values
            },
            active_days=int(self.active_days[row]),
            products=int(self.products[row]),
            tenure_months=int(self.tenure[row]),
            streak=int(self.streak[row]),
            traits=self._traits(row),
            wholes=wholes_said(self.words["wholes"][self.wholes[row]]),
        )

    def _asset(self, index: int) -> AssetFacts:
        asset_class, currency = self.words["asset"][self.asset[index]].split("/")
        amounts = (
            int(column[index])
            for column in (self.balance_days, self.average, self.closing, self.ninety_days)
        )
        return AssetFacts(asset_class, currency, *amounts)

    def _traits(self, row: int) -> Traits:
        said = {
            name: self._word(name, int(getattr(self, name)[row]))
            for name in ("kind", "rating", "industry", "region")
        }
        held = self.words["holdings"][self.holdings[row]]
        born = date.fromordinal(int(self.born[row])) if self.born[row] else None
        return Traits(
            **said, born=born, holdings=tuple(held.split()), open_cases=int(self.open_cases[row])
        )

    def _word(self, name: str, code: int) -> str | None:
        return None if code == NOTHING else self.words[name][code]


TYPES: dict[str, str] = {
    "names": "S", "first": "i8", "month": "i4", "transactions": "i4", "active_days": "i1", "products": "i4", "tenure": "i2", "streak": "i2",  # noqa: E501
    "open_cases": "i2", "kind": "i4", "rating": "i4", "industry": "i4", "region": "i4", "born": "i4", "holdings": "i4", "wholes": "i4", "asset_first": "i8",  # noqa: E501
    "asset": "i2", "balance_days": "i8", "average": "i8", "closing": "i8", "ninety_days": "i8", "value_first": "i8", "value_currency": "i2",  # noqa: E501
    "came": "i8", "went": "i8",
}  # fmt: skip


def month_number(month: Month) -> int:
    """A month as a number, such that the next month is one more.

    >>> month_number("2026-01") - month_number("2025-12")
    1
    """
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def month_named(number: int) -> Month:
    """The month of a number."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def columns_of(customers: Iterable[tuple[str, Sequence[MonthlyFacts]]]) -> Columns:
    """The columns of customers, each with their months in order; raises `TooLarge`.

    Who had more than `LIMIT` of one class in any month is set apart, and counted.
    """
    made = _Maker()
    for name, months in customers:
        made.add(name, months)
    return made.columns()


def wholes_said(word: str) -> dict[str, int]:
    """The wholes that a word of the columns names, with their shares.

    >>> wholes_said("company:7=600 household:3=1000")
    {'company:7': 600, 'household:3': 1000}
    """
    return {
        name: int(permille) for name, _, permille in (each.rpartition("=") for each in word.split())
    }


class BadColumns(ValueError):
    """A folder of columns cannot be used; says which and why."""


def save(columns: Columns, folder: Path, gathered_at: datetime) -> None:
    """Write one file a column into a new folder, and last what tells that all are there."""
    folder.mkdir(parents=True)
    lengths = {}
    for name in TYPES:
        column = getattr(columns, name)
        np.save(folder / f"{name}.npy", column)
        lengths[name] = len(column)
    told = {
        "format": FORMAT,
        "gathered_at": gathered_at.isoformat(timespec="seconds"),
        "lengths": lengths,
        "words": columns.words,
        "apart": columns.apart,
    }
    (folder / "facts.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def gathered_at(folder: Path) -> datetime:
    """When the columns in a folder were gathered. Raises `BadColumns`."""
    try:
        told = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        return datetime.fromisoformat(told["gathered_at"])
    except (OSError, ValueError, KeyError) as error:
        raise BadColumns(f"{folder} cannot be used ({error})") from error


def load(folder: Path) -> Columns:
    """The columns in a folder, read from the disk where they are looked at, and no earlier.

    Raises `BadColumns`.
    """
    try:
        told = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise BadColumns(
                f"{folder} cannot be used: it has format {told['format']}, and {FORMAT} is read"
            )
        found = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in TYPES}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadColumns(f"{folder} cannot be used ({error})") from error
    if odd := [name for name, column in found.items() if len(column) != told["lengths"][name]]:
        raise BadColumns(
            f"{folder} cannot be used: {', '.join(odd)} are of another length than was written"
        )
    return Columns(**found, words=told["words"], apart=told.get("apart", 0))


class _Maker:
    """Columns that are being filled."""

    def __init__(self) -> None:
        self._names: list[bytes] = []
        self._apart = 0
        self._lists = {
            name: array("q", [0] if name.endswith("first") else [])
            for name in TYPES
            if name != "names"
        }
        self._words: dict[str, dict[str, int]] = {
            name: {}
            for name in (
                "kind",
                "rating",
                "industry",
                "region",
                "holdings",
                "wholes",
                "asset",
                "currency",
            )
        }

    def add(self, name: str, months: Sequence[MonthlyFacts]) -> None:
        """One customer more."""
        if any(
            max(abs(asset.average), abs(asset.closing)) > LIMIT
            for facts in months
            for asset in facts.assets
        ):
            self._apart += 1
            return
        self._names.append(name.encode())
        for facts in months:
            self._row(facts)
        self._lists["first"].append(len(self._lists["month"]))

    def columns(self) -> Columns:
        """What was filled."""
        for name, values in self._lists.items():
            bounds = np.iinfo(TYPES[name])
            if values and not bounds.min <= min(values) <= max(values) <= bounds.max:
                raise TooLarge(
                    f"somebody's {name.replace('_', ' ')} do not fit into "
                    f"{8 * int(TYPES[name][1])} bits"
                )
        found = {name: np.array(values, dtype=TYPES[name]) for name, values in self._lists.items()}
        for column in found.values():
            column.setflags(write=False)
        return Columns(
            names=np.array(self._names, dtype=TYPES["names"]),
            **found,
            words={name: list(words) for name, words in self._words.items()},
            apart=self._apart,
        )

    def _row(self, facts: MonthlyFacts) -> None:
        traits = facts.traits
        row = {
            "month": month_number(facts.month), "transactions": facts.transactions, "active_days": facts.active_days, "products": facts.products,  # noqa: E501
            "tenure": facts.tenure_months, "streak": facts.streak, "open_cases": traits.open_cases, "born": traits.born.toordinal() if traits.born else 0,  # noqa: E501
            "holdings": self._code("holdings", " ".join(traits.holdings)),
            "wholes": self._code("wholes", " ".join(f"{whole}={permille}" for whole, permille in facts.wholes.items())),  # noqa: E501
            **{word: self._code(word, getattr(traits, word)) for word in ("kind", "rating", "industry", "region")},  # noqa: E501
        }  # fmt: skip
        for asset in facts.assets:
            self._append("asset", self._code("asset", f"{asset.asset_class}/{asset.currency}"))
            for amount in ("balance_days", "average", "closing", "ninety_days"):
                self._append(amount, getattr(asset, amount))
        for currency in sorted(facts.value_in.keys() | facts.value_out.keys()):
            self._append("value_currency", self._code("currency", currency))
            self._append("came", facts.value_in.get(currency, 0))
            self._append("went", facts.value_out.get(currency, 0))
        for column, value in row.items():
            self._append(column, value)
        self._append("asset_first", len(self._lists["asset"]))
        self._append("value_first", len(self._lists["came"]))

    def _append(self, column: str, value: int) -> None:
        self._lists[column].append(value)

    def _code(self, name: str, word: str | None) -> int:
        words = self._words[name]
        return NOTHING if word is None else words.setdefault(word, len(words))
