"""Who stands elsewhere under another policy? Counts from tier to tier, assets, segments, and the movers with reasons."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from typing import Protocol

import numpy as np

from domain.days import days_in, first_day
from domain.policy import TierPolicy
from domain.tiering import Standing, outlook
from replay.columns import Columns, Numbers, month_named

NOBODY = "unassessed"
UP, DOWN, ELSEWHERE = 1, -1, 2
AGES = (18, 30, 45, 65)
"""Where age bands begin; 65 is where special care begins."""
NAMED = 1_000
"""Movers that a report names, those with the largest assets first."""


@dataclass(frozen=True)
class Segment:
    """Customers who have something in common: how many there are, and how many rise and fall."""

    by: str
    segment: str
    customers: int
    up: int
    down: int


@dataclass(frozen=True)
class Mover:
    """A customer who stands elsewhere: from where to where, on what grounds, what is missing to rise again, and assets in minor units."""

    customer: str
    before: str
    after: str
    month: str
    seen: dict[str, int]
    missing: tuple[str, ...]
    assets: int


@dataclass(frozen=True)
class Comparison:
    """Two policies over the same facts, from the tiers of the old (rows) to those of the new (columns); assets in minor units.

    `fees` is by how much the yearly fees of all in a cell change, in minor units of the new policy's currency; None if
    the old policy has another one.
    Up and down are told where the new policy knows the old tier; who comes from another is `elsewhere`. `movers` are
    the largest of all these, a thousand at most.
    """

    old: str
    new: str
    old_digest: str
    new_digest: str
    through: str | None
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    assets: tuple[tuple[int, ...], ...]
    fees: tuple[tuple[int, ...], ...] | None
    customers: int
    up: int
    down: int
    elsewhere: int
    segments: tuple[Segment, ...]
    movers: tuple[Mover, ...]

    @property
    def fees_change(self) -> int | None:
        """By how much the yearly fees of all change."""
        return None if self.fees is None else sum(map(sum, self.fees))

    @property
    def digest(self) -> str:
        """A SHA-256 over all that the report says, for an approval to name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Stood(Protocol):
    """Everybody's standing: the tier by place (-1: none), the last row it saw, and each in words."""

    @property
    def tier(self) -> Numbers: ...
    @property
    def last(self) -> Numbers: ...
    def standing(self, policy: TierPolicy, columns: Columns, customer: int) -> Standing: ...


def compare(columns: Columns, old: TierPolicy, new: TierPolicy, before: Stood, after: Stood) -> Comparison:
    """What a change from one policy to another would do to everybody."""
    rows, names = (NOBODY, *_names(old)), (NOBODY, *_names(new))
    here, there = before.tier.astype(np.int64) + 1, after.tier.astype(np.int64) + 1
    held = _assets(columns, new.currency)
    cells = here * len(names) + there
    moves = _moves(rows, names)[here, there]
    movers = np.flatnonzero(moves)
    counts = np.bincount(cells, minlength=len(rows) * len(names))
    largest = movers[np.lexsort((columns.names[movers], -held[movers]))][:NAMED]
    return Comparison(
        old=old.label,
        new=new.label,
        old_digest=old.digest,
        new_digest=new.digest,
        through=month_named(int(columns.month.max())) if columns.rows else None,
        rows=rows,
        columns=names,
        counts=_table(counts, len(names)),
        assets=_table(_sums(cells, held, len(rows) * len(names)), len(names)),
        fees=_table(counts * np.subtract.outer(_fees(new), _fees(old)).T.ravel(), len(names)) if old.currency == new.currency else None,
        customers=len(columns),
        up=int((moves == UP).sum()),
        down=int((moves == DOWN).sum()),
        elsewhere=int((moves == ELSEWHERE).sum()),
        segments=tuple(_segments(columns, moves)),
        movers=tuple(_mover(columns, new, after, int(each), rows[here[each]], int(held[each])) for each in largest),
    )


def _names(policy: TierPolicy) -> tuple[str, ...]:
    return tuple(tier.tier for tier in policy.tiers)


def _fees(policy: TierPolicy) -> Numbers:
    """What a customer pays a year, tier by tier; nothing before any assessment."""
    return np.array([0, *(sum(tier.service.fees.values()) for tier in policy.tiers)], dtype=np.int64)


def _moves(rows: Sequence[str], names: Sequence[str]) -> Numbers:
    """For every pair of tiers, 1 for a rise, -1 for a fall, and 2 for a move from a tier that the new policy does not know."""
    places = np.arange(len(names))
    return np.array([np.sign(places - names.index(row)) if row in names else np.full(len(names), ELSEWHERE) for row in rows])


def _table(flat: Numbers, width: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(each) for each in row) for row in flat.reshape(-1, width))


def _sums(cells: Numbers, amounts: Numbers, count: int) -> Numbers:
    """Exact sums of whole numbers per cell."""
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, cells, amounts)
    return total


def _last_rows(columns: Columns) -> Numbers:
    """Everybody's last row; -1 for who has none."""
    last = np.asarray(columns.first[1:]) - 1
    return np.where(last >= columns.first[:-1], last, -1)


def _at(column: Numbers, rows: Numbers, otherwise: int) -> Numbers:
    """What a column has in these rows; something else where there is no row."""
    found = np.full(len(rows), otherwise, dtype=np.int64)
    found[rows >= 0] = column[rows[rows >= 0]]
    return found


def _assets(columns: Columns, currency: str) -> Numbers:
    """What everybody held at the end of their last month, without loans, in one currency."""
    counts = np.array([asset.endswith(f"/{currency}") and not asset.startswith("loan/") for asset in columns.words["asset"]] or [False])
    last = _last_rows(columns)
    total = np.zeros(len(columns), dtype=np.int64)
    start = _at(columns.asset_first, last, 0)
    length = np.where(last >= 0, columns.asset_first[last + 1] - start, 0)
    for offset in range(int(length.max(initial=0))):
        some = np.flatnonzero(length > offset)
        index = start[some] + offset
        total[some] += np.where(counts[columns.asset[index]], columns.closing[index], 0)
    return total


def _segments(columns: Columns, moves: Numbers) -> Iterator[Segment]:
    last = _last_rows(columns)
    for by in ("kind", "region"):
        codes = _at(getattr(columns, by), last, -1)
        yield from _grouped(by, codes + 1, ("unknown", *columns.words[by]), moves)
    yield from _grouped("age", _bands(columns, last), ("unknown", *_band_names()), moves)


def _grouped(by: str, codes: Numbers, names: Sequence[str], moves: Numbers) -> Iterator[Segment]:
    counted = [np.bincount(some, minlength=len(names)) for some in (codes, codes[moves == UP], codes[moves == DOWN])]
    for name, customers, up, down in zip(names, *counted, strict=True):
        if customers:
            yield Segment(by, name, int(customers), int(up), int(down))


def _bands(columns: Columns, last: Numbers) -> Numbers:
    """Everybody's age band at the end of their last month, counted from 1; 0 where no birth date is known."""
    born, months = _at(columns.born, last, 0), _at(columns.month, last, -1)
    bands = np.where(born > 0, 1, 0)
    for month in np.unique(months[months >= 0]):
        name = month_named(int(month))
        end = first_day(name).replace(day=days_in(name))
        of_month = (born > 0) & (months == month)
        for age in AGES:
            bands += of_month & (born <= _birthday(end, age))
    return bands


def _birthday(end: date, age: int) -> int:
    """The latest day of birth of who is so old on a day."""
    year = end.year - age
    return end.replace(year=year, day=min(end.day, days_in(f"{year:04d}-{end.month:02d}"))).toordinal()


def _band_names() -> tuple[str, ...]:
    ends = [f"under {AGES[0]}", *(f"{low} to {high - 1}" for low, high in pairwise(AGES)), f"{AGES[-1]} and over"]
    return tuple(ends)


def _mover(columns: Columns, new: TierPolicy, after: Stood, customer: int, before: str, assets: int) -> Mover:
    standing = after.standing(new, columns, customer)
    seen = standing.grounds.seen if standing.grounds else {}
    month = standing.grounds.month if standing.grounds else ""
    return Mover(columns.name(customer), before, standing.tier or NOBODY, month, seen, _missing(columns, new, standing, int(after.last[customer])), assets)


def _missing(columns: Columns, new: TierPolicy, standing: Standing, row: int) -> tuple[str, ...]:
    if row < 0:
        return ()
    gaps = outlook(new, standing, columns.facts(row)).missing
    return tuple(map(str, gaps[0] if gaps else ()))
