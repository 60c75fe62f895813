"""What did households and company groups come to, month by month?

Summed from the columns of their members.

Row by row this is what `domain/households/membership.py` says of the members whose rows count in
the same whole in the same month.
"""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from domain.accounts.monthly_facts import MonthlyFacts
from domain.households.membership import MOST_BESIDE, without_names
from domain.tiering.policy import Scope
from replay.what_if.columns import NOTHING, Columns, Numbers, wholes_said

MONTHS = 1 << 16
"""More than any month's number."""
ASSETS = ("balance_days", "average", "closing", "ninety_days")
VALUES = ("came", "went")


class Wholes:
    """The rows of a bank, grouped by the whole and month that they count in.

    `group` is NOTHING for a row that counts in none.
    """

    def __init__(self, columns: Columns, scope: Scope) -> None:
        self._columns = columns
        self._scope = scope
        named = [
            (scope.among(wholes), wholes) for wholes in map(wholes_said, columns.words["wholes"])
        ]
        codes: dict[str, int] = {}
        of_word = np.array(
            [NOTHING if name is None else codes.setdefault(name, len(codes)) for name, _ in named]
            + [NOTHING],
            dtype=np.int64,
        )
        self._permille = np.array(
            [0 if name is None else wholes[name] for name, wholes in named] + [0], dtype=np.int64
        )[columns.wholes]
        found = of_word[columns.wholes]
        self._inside = np.flatnonzero(found != NOTHING)
        keys = found[self._inside] * MONTHS + columns.month[self._inside]
        _, groups, sizes = np.unique(keys, return_inverse=True, return_counts=True)
        self.group = np.full(columns.rows, NOTHING, dtype=np.int64)
        self.group[self._inside] = groups
        self._sizes = sizes
        self._order = self._inside[np.argsort(groups, kind="stable")]
        self._starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)

    @cached_property
    def together(self) -> Columns:
        """The columns with the money, transactions and products of the whole in every row that
        counts in one, and none in the others.
        """
        columns = self._columns
        assets = self._summed(
            columns.asset_first, columns.asset, {name: getattr(columns, name) for name in ASSETS}
        )
        values = self._summed(
            columns.value_first,
            columns.value_currency,
            {name: getattr(columns, name) for name in VALUES},
        )
        changed: dict[str, Any] = {
            name: self._counted(getattr(columns, name)) for name in ("transactions", "products")
        }
        changed.update(zip(("asset_first", "asset", *ASSETS), assets, strict=True))
        changed.update(zip(("value_first", "value_currency", *VALUES), values, strict=True))
        return replace(columns, **changed)

    def best(self, levels: Numbers) -> Numbers:
        """Of the levels of all rows, the best in each row's whole.

        Below any level for a row that counts in none, or in a large one.
        """
        found = np.full(len(levels), NOTHING, dtype=levels.dtype)
        if len(self._inside):
            best = np.maximum.reduceat(levels[self._order], self._starts[:-1])
            best[self._sizes > MOST_BESIDE] = NOTHING
            found[self._inside] = best[self.group[self._inside]]
        return found

    def months(self, row: int) -> tuple[MonthlyFacts, ...]:
        """The months that count for a row beside its own, as `counting` gives them.

        None if it counts in no whole.
        """
        group = int(self.group[row])
        if group == NOTHING:
            return ()
        if self._scope.take != "max":
            own = self._columns.facts(row)
            return (replace(self.together.facts(row), wholes=own.wholes),)
        if self._sizes[group] > MOST_BESIDE:
            return ()
        return without_names(
            self._columns.facts(int(member))
            for member in self._order[self._starts[group] : self._starts[group + 1]]
        )

    def _counted(self, column: Numbers) -> Numbers:
        found = np.zeros(len(column), dtype=np.int64)
        if len(self._inside):
            found[self._inside] = np.add.reduceat(
                column[self._order].astype(np.int64), self._starts[:-1]
            )[self.group[self._inside]]
        return found

    def _summed(
        self, first: Numbers, codes: Numbers, amounts: dict[str, Numbers]
    ) -> tuple[Numbers, ...]:
        """What several entries a row come to in each whole, by code, and then again for each row.

        Index, codes, amounts.
        """
        rows = np.repeat(np.arange(len(first) - 1), np.diff(first))
        mine = np.flatnonzero(self.group[rows] != NOTHING)
        rows, words = rows[mine], int(codes.max(initial=0)) + 1
        keys, into = np.unique(self.group[rows] * words + codes[mine], return_inverse=True)
        order = np.argsort(into, kind="stable")
        starts = np.flatnonzero(np.diff(into[order], prepend=NOTHING))
        sums = [
            np.add.reduceat(self._part(column[mine], rows)[order], starts)
            if len(mine)
            else column[:0]
            for column in amounts.values()
        ]
        entries = np.searchsorted(keys // words, np.arange(len(self._sizes) + 1))
        counts = np.zeros(len(first) - 1, dtype=np.int64)
        counts[self._inside] = np.diff(entries)[self.group[self._inside]]
        index = np.concatenate(([0], np.cumsum(counts)))
        begins = np.repeat(
            entries[self.group[self._inside]] - index[self._inside], counts[self._inside]
        )
        there = begins + np.arange(int(index[-1]))
        return index, (keys % words)[there], *(each[there] for each in sums)

    def _part(self, amounts: Numbers, rows: Numbers) -> Numbers:
        """Amounts as they count.

        Whole, or by the share of their row, rounded down, without leaving 64 bits.
        """
        if self._scope.take != "share":
            return amounts
        permille = self._permille[rows]
        return np.asarray(amounts // 1000 * permille + amounts % 1000 * permille // 1000)
