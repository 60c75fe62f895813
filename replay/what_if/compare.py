"""Who stands elsewhere under another policy?

Counts from tier to tier, assets, segments, and the movers with reasons.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import pairwise
from typing import Protocol

import numpy as np

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import days_in, first_day
from domain.rules.conditions import held, missing
from domain.tiering.assessment import Standing
from domain.tiering.outlook import case_now, outlook
from domain.tiering.policy import TierPolicy
from replay.what_if.columns import Columns, Numbers, month_named

NOBODY = "unassessed"
UP, DOWN, ELSEWHERE = 1, -1, 2
AGES = (18, 30, 45, 65)
"""Where age bands begin; 65 is where special care begins."""
NAMED = 1_000
"""Movers that a report names, those with the largest assets first."""


@dataclass(frozen=True)
class Segment:
    """Customers who have something in common.

    How many there are, how many rise, fall and go elsewhere, with what assets.

    `assets` are those of all who move, and `fees` by how much the yearly fees of all change, as in
    the comparison.
    """

    by: str
    segment: str
    customers: int
    up: int
    down: int
    elsewhere: int
    assets: int
    fees: int | None


@dataclass(frozen=True)
class Mover:
    """A customer who stands elsewhere.

    From where to where, on what grounds, what is missing to rise again, and assets in minor units.

    `why` is what the tier that was reached asks for and what there was; or, where that is the
    lowest, what is missing for the tier before. `whole` is the household or company group that
    counted too, and `together` what was seen of it. `by_hand` is a tier set by hand and its last
    day: the customer stays in that until then.
    """

    customer: str
    before: str
    after: str
    month: str
    seen: dict[str, int]
    why: tuple[str, ...]
    missing: tuple[str, ...]
    assets: int
    whole: str | None = None
    together: dict[str, int] = field(default_factory=dict)
    by_hand: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Two policies over the same facts, from the tiers of the old (rows) to those of the new
    (columns); assets in minor units.

    `fees` is by how much the yearly fees of all in a cell change, in minor units of the new
    policy's currency; None if the old policy has another one. Customers `apart` have more than any
    column holds, and are in none of it. Up and down are told where the new policy knows the old
    tier; who comes from another is `elsewhere`. `movers` are the largest of all these, a thousand
    at most.
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
    apart: int
    up: int
    down: int
    elsewhere: int
    segments: tuple[Segment, ...]
    movers: tuple[Mover, ...]

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers of both policies, those of the new one first."""
        return tuple(dict.fromkeys((*self.columns, *self.rows)))

    def stood(self, tier: str) -> tuple[int, int]:
        """How many stood in a tier under the old policy, and stand in it under the new one."""
        before = sum(self.counts[self.rows.index(tier)]) if tier in self.rows else 0
        return before, sum(
            counts[self.columns.index(tier)] for counts in self.counts
        ) if tier in self.columns else 0

    @property
    def fees_change(self) -> int | None:
        """By how much the yearly fees of all change."""
        return None if self.fees is None else sum(map(sum, self.fees))

    @property
    def digest(self) -> str:
        """A SHA-256 over all that the report says, for an approval to name."""
        return hashlib.sha256(
            json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()
        ).hexdigest()


class Stood(Protocol):
    """Everybody's standing: the tier by place (-1: none), the last row it saw, and
    each in words.
    """

    @property
    def tier(self) -> Numbers: ...
    @property
    def last(self) -> Numbers: ...
    def standing(self, policy: TierPolicy, columns: Columns, customer: int) -> Standing: ...


def compare(
    columns: Columns, old: TierPolicy, new: TierPolicy, before: Stood, after: Stood
) -> Comparison:
    """What a change from one policy to another would do to everybody."""
    rows, names = (NOBODY, *_names(old)), (NOBODY, *_names(new))
    here, there = before.tier.astype(np.int64) + 1, after.tier.astype(np.int64) + 1
    assets = _assets(columns, new.currency)
    cells = here * len(names) + there
    moves = _moves(rows, names)[here, there]
    fees = (_fees(new)[there] - _fees(old)[here]) if old.currency == new.currency else None
    movers = np.flatnonzero(moves)
    counts = np.bincount(cells, minlength=len(rows) * len(names))
    largest = movers[np.lexsort((columns.names[movers], -assets[movers]))][:NAMED]
    return Comparison(
        old=old.label,
        new=new.label,
        old_digest=old.digest,
        new_digest=new.digest,
        through=month_named(int(columns.month.max())) if columns.rows else None,
        rows=rows,
        columns=names,
        counts=_table(counts, len(names)),
        assets=_table(_sums(cells, assets, len(counts)), len(names)),
        fees=None if fees is None else _table(_sums(cells, fees, len(counts)), len(names)),
        customers=len(columns),
        apart=columns.apart,
        up=int((moves == UP).sum()),
        down=int((moves == DOWN).sum()),
        elsewhere=int((moves == ELSEWHERE).sum()),
        segments=tuple(_segments(columns, moves, assets, fees)),
        movers=tuple(
            _mover(columns, new, after, int(each), rows[here[each]], int(assets[each]))
            for each in largest
        ),
    )


def _names(policy: TierPolicy) -> tuple[str, ...]:
    return tuple(tier.tier for tier in policy.tiers)


def _fees(policy: TierPolicy) -> Numbers:
    """What a customer pays a year, tier by tier; nothing before any assessment."""
    return np.array(
        [0, *(sum(tier.service.fees.values()) for tier in policy.tiers)], dtype=np.int64
    )


def _moves(rows: Sequence[str], names: Sequence[str]) -> Numbers:
    """For every pair of tiers, 1 for a rise, -1 for a fall, and 2 for a move from a tier that the
    new policy does not know.
    """
    places = np.arange(len(names))
    return np.array(
        [
            np.sign(places - names.index(row)) if row in names else np.full(len(names), ELSEWHERE)
            for row in rows
        ]
    )


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
    counts = np.array(
        [
            asset.endswith(f"/{currency}") and not asset.startswith("loan/")
            for asset in columns.words["asset"]
        ]
        or [False]
    )
    last = _last_rows(columns)
    total = np.zeros(len(columns), dtype=np.int64)
    start = _at(columns.asset_first, last, 0)
    length = np.where(last >= 0, columns.asset_first[last + 1] - start, 0)
    for offset in range(int(length.max(initial=0))):
        some = np.flatnonzero(length > offset)
        index = start[some] + offset
        total[some] += np.where(counts[columns.asset[index]], columns.closing[index], 0)
    return total


def _segments(
    columns: Columns, moves: Numbers, assets: Numbers, fees: Numbers | None
) -> Iterator[Segment]:
    last = _last_rows(columns)
    for by in ("kind", "region"):
        codes = _at(getattr(columns, by), last, -1)
        yield from _grouped(by, codes + 1, ("unknown", *columns.words[by]), moves, assets, fees)
    yield from _grouped(
        "age", _bands(columns, last), ("unknown", *_band_names()), moves, assets, fees
    )


def _grouped(
    by: str,
    codes: Numbers,
    names: Sequence[str],
    moves: Numbers,
    assets: Numbers,
    fees: Numbers | None,
) -> Iterator[Segment]:
    counted = [
        np.bincount(some, minlength=len(names))
        for some in (codes, *(codes[moves == move] for move in (UP, DOWN, ELSEWHERE)))
    ]
    moving = _sums(codes[moves != 0], assets[moves != 0], len(names))
    changes = None if fees is None else _sums(codes, fees, len(names))
    for place, name in enumerate(names):
        if counted[0][place]:
            customers, up, down, elsewhere = (int(each[place]) for each in counted)
            yield Segment(
                by,
                name,
                customers,
                up,
                down,
                elsewhere,
                int(moving[place]),
                None if changes is None else int(changes[place]),
            )


def _bands(columns: Columns, last: Numbers) -> Numbers:
    """Everybody's age band at the end of their last month, counted from 1.

    0 where no birth date is known.
    """
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
    return end.replace(
        year=year, day=min(end.day, days_in(f"{year:04d}-{end.month:02d}"))
    ).toordinal()


def _band_names() -> tuple[str, ...]:
    ends = [
        f"under {AGES[0]}",
        *(f"{low} to {high - 1}" for low, high in pairwise(AGES)),
        f"{AGES[-1]} and over",
    ]
    return tuple(ends)


def _mover(
    columns: Columns, new: TierPolicy, after: Stood, customer: int, before: str, assets: int
) -> Mover:
    standing, row = after.standing(new, columns, customer), int(after.last[customer])
    grounds = standing.grounds
    seen, month = (grounds.seen, grounds.month) if grounds else ({}, "")
    why, missing = _reasons(new, standing, columns.facts(row), before) if row >= 0 else ((), ())
    whole, together = (grounds.whole, grounds.together) if grounds else (None, {})
    by_hand = standing.override
    return Mover(
        columns.name(customer),
        before,
        standing.tier or NOBODY,
        month,
        seen,
        why,
        missing,
        assets,
        whole,
        together,
        f"{by_hand.tier} until {by_hand.until}" if by_hand else None,
    )


def _reasons(
    new: TierPolicy, standing: Standing, facts: MonthlyFacts, before: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why a customer stands there.

    What that tier asks for, or what is missing for it or for the one before; and what is missing to
    rise.

    Who stands in a tier without reaching it has not yet missed it often enough, or came down by one
    step.
    """
    case, place, place_before = (
        case_now(new, standing, facts),
        new.rank(standing.tier),
        new.rank(before),
    )
    reach = new.tiers[place].reach if place is not None else None
    asked = new.tiers[place_before].reach if place_before is not None else None
    lacks = asked if reach is None else reach
    why = (held(reach, case) if reach is not None else ()) or (
        next(iter(missing(lacks, case)), ()) if lacks is not None else ()
    )
    gaps = outlook(new, standing, facts).missing
    return tuple(map(str, why)), tuple(map(str, gaps[0] if gaps else ()))
