"""What facts are there of the whole bank? Gathered into columns from wherever months are kept."""

import shutil
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from domain.accounts.monthly_facts import MonthlyFacts
from projections.accounts.months import MONTHS
from projections.projection import Group
from projections.store import Place, Store
from replay.what_if.columns import BadColumns, Columns, columns_of, load, save

AT_ONCE = 1_000


async def gathered(store: Store, group: Group, shards: int, progress: Callable[[int], None] = lambda _n: None) -> Columns:
    """The facts of every customer who has any in a store, by name; live, or rebuilt in memory."""
    found: dict[str, list[MonthlyFacts]] = {}
    for shard in range(shards):
        async for streams, rows in _months(store, Place(shard, group.name)):
            found.update({stream: months for stream, months in zip(streams, rows, strict=True) if months})
            progress(len(streams))
    return columns_of((name, found[name]) for name in sorted(found))


async def _months(store: Store, place: Place) -> AsyncIterator[tuple[list[str], list[list[MonthlyFacts]]]]:
    async for streams in store.streams(place):
        for start in range(0, len(streams), AT_ONCE):
            some = streams[start : start + AT_ONCE]
            kept = await store.load(place, [(MONTHS.key, stream) for stream in some])
            rows = [MONTHS.decode(one.state).rows if one else {} for one in kept]
            yield some, [[months[name] for name in sorted(months)] for months in rows]


def keep(columns: Columns, folder: Path, gathered_at: datetime) -> None:
    """Keep columns in a folder beside those that are there, then switch: a reader finds the old ones or the new ones."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / uuid4().hex
    save(columns, fresh, gathered_at)
    pointer = folder / f"{fresh.name}.current"
    pointer.write_text(fresh.name, encoding="ascii")
    pointer.replace(folder / CURRENT)
    for old in folder.iterdir():
        if old.is_dir() and old != fresh:
            shutil.rmtree(old)


def kept(folder: Path) -> Columns | None:
    """The columns that are kept in a folder; None if there are none. Raises `BadColumns`."""
    current = _current(folder)
    while current is not None:
        try:
            return load(folder / current)
        except BadColumns:
            tried, current = current, _current(folder)
            if current == tried:
                raise
    return None


def _current(folder: Path) -> str | None:
    """Which columns are to be read; others, while they are being read, may be replaced by these."""
    try:
        return (folder / CURRENT).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


CURRENT = "current"
"""The file that names the folder to read."""
