"""What facts are there of the whole bank? Gathered into columns from wherever months are kept."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.customers.identity import Identity, numbers_of
from domain.customers.one_person import months_together
from projections.accounts.months import MONTHS
from projections.cases.complaints import COMPLAINTS, with_disputes
from projections.customers.identity import IDENTITY
from projections.projection import Group
from projections.store import GroupShard, Store, StoredState
from replay.what_if.columns import BadColumns, Columns, columns_of, gathered_at, load, save

CHUNK_STREAMS = 1_000


async def gathered(
    store: Store,
    facts: Group,
    cases: Group,
    shards: int,
    progress: Callable[[int], None] = lambda _n: None,
) -> Columns:
    """The facts of every customer who has any in a store, by name; live, or rebuilt in memory.

    A person with several numbers is one customer, by the name of the number that stays.
    """
    found: dict[str, list[MonthlyFacts]] = {}
    identities: dict[str, Identity] = {}
    for shard in range(shards):
        place = GroupShard(shard, facts.name)
        async for streams, rows in _months(store, place, GroupShard(shard, cases.name)):
            found.update(
                {stream: months for stream, months in zip(streams, rows, strict=True) if months}
            )
            identities.update(await linked_of(store, place, streams))
            progress(len(streams))
    for numbers in people(identities):
        there = [number for number in numbers if number in found]
        own = [{row.month: row for row in found.pop(number)} for number in there]
        if rows_together := months_together(own):
            found[there[0]] = [rows_together[month] for month in sorted(rows_together)]
    return columns_of((name, found[name]) for name in sorted(found))


async def linked_of(store: Store, place: GroupShard, streams: Sequence[str]) -> dict[str, Identity]:
    """What those of these numbers know of others that were ever linked with any."""
    kept = await store.load(place, [(IDENTITY.key, stream) for stream in streams])
    return {
        stream: IDENTITY.decode(each.state)
        for stream, each in zip(streams, kept, strict=True)
        if each
    }


def people(identities: Mapping[str, Identity]) -> list[tuple[str, ...]]:
    """The numbers of each person who has several, the one that stays first."""
    found = {numbers_of(identity, stream) for stream, identity in identities.items()}
    return sorted(numbers for numbers in found if len(numbers) > 1)


async def _months(
    store: Store, place: GroupShard, cases: GroupShard
) -> AsyncIterator[tuple[list[str], list[list[MonthlyFacts]]]]:
    async for streams in store.streams(place):
        for start in range(0, len(streams), CHUNK_STREAMS):
            some = streams[start : start + CHUNK_STREAMS]
            kept = await store.load(place, [(MONTHS.key, stream) for stream in some])
            said = await store.load(cases, [(COMPLAINTS.key, stream) for stream in some])
            rows = [
                rows_of(months, complaints) for months, complaints in zip(kept, said, strict=True)
            ]
            yield some, [[months[name] for name in sorted(months)] for months in rows]


def rows_of(
    months: StoredState | None, complaints: StoredState | None
) -> Mapping[Month, MonthlyFacts]:
    """The months of a customer as they are kept, each with how many complaints were open
    at its end.
    """
    rows = MONTHS.decode(months.state).rows if months else {}
    return with_disputes(rows, COMPLAINTS.decode(complaints.state)) if complaints else rows


def keep_columns(columns: Columns, folder: Path, now: datetime) -> None:
    """Keep columns in a folder beside those that are there, then switch.

    A reader finds the old ones or the new ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / uuid4().hex
    save(columns, fresh, now)
    pointer = folder / f"{fresh.name}.current"
    pointer.write_text(fresh.name, encoding="ascii")
    pointer.replace(folder / CURRENT)
    for old in folder.iterdir():
        if old.is_dir() and old != fresh:
            shutil.rmtree(old)


def kept_columns(folder: Path, within: timedelta | None = None) -> Columns | None:
    """The columns that are kept in a folder; None if there are none, or none that were gathered
    within a time, if one is said. Raises `BadColumns`.
    """
    current = _current(folder)
    if current and within and datetime.now(UTC) - gathered_at(folder / current) > within:
        return None
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
