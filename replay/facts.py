"""What facts are there of the whole bank? Gathered into columns from wherever months are kept."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from domain.facts import MonthlyFacts
from projections.months import MONTHS
from projections.projection import Group
from projections.store import Place, Store
from replay.columns import Columns, columns_of, load, save

AT_ONCE = 1_000


async def gathered(store: Store, group: Group, shards: int, progress: Callable[[int], None] = lambda _n: None) -> Columns:
    """The facts of every customer in a store, by name; live, or rebuilt in memory."""
    found: dict[str, list[MonthlyFacts]] = {}
    for shard in range(shards):
        async for streams, rows in _months(store, Place(shard, group.name)):
            found.update(zip(streams, rows, strict=True))
            progress(len(streams))
    return columns_of((name, found[name]) for name in sorted(found))


async def _months(store: Store, place: Place) -> AsyncIterator[tuple[list[str], list[list[MonthlyFacts]]]]:
    async for streams in store.streams(place):
        for start in range(0, len(streams), AT_ONCE):
            some = streams[start : start + AT_ONCE]
            kept = await store.load(place, [(MONTHS.key, stream) for stream in some])
            rows = [MONTHS.decode(one.state).rows if one else {} for one in kept]
            yield some, [[months[name] for name in sorted(months)] for months in rows]


def keep(columns: Columns, folder: Path) -> None:
    """Keep columns in a folder of files, in place of those that were there, at one blow."""
    fresh, old = folder.with_name(f"{folder.name}.fresh"), folder.with_name(f"{folder.name}.old")
    for leftover in (fresh, old):
        _remove(leftover)
    save(columns, fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    _remove(old)


def kept(folder: Path) -> Columns | None:
    """The columns in a folder; None if nothing is there."""
    return load(folder) if folder.exists() else None


def _remove(folder: Path) -> None:
    for file in folder.glob("*"):
        file.unlink()
    if folder.exists():
        folder.rmdir()
