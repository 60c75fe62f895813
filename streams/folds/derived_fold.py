"""How does a group keep up that reads what another group has folded?

Behind it, and never ahead of it.

What it reads grows and never changes (rows of facts), so a stretch may be folded stream by stream,
whether it is one day's end or ten years of them: that is how a new version is filled from the
journal.
"""

import asyncio
from collections.abc import Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from domain.envelope import Recorded
from projections.projection import Group, Source, States
from projections.store import GroupShard, Store
from streams.broker.batch import Batch
from streams.folds.shard_fold import BROADCAST_STREAMS, ShardFold, Superseded
from streams.journal import Journal, Row

CHUNK_ROWS = 50_000
"""Rows of the few types that matter."""


class DerivedFold(ShardFold):
    """One group with sources over one shard.

    What the folds `of` its sources, by name, have at hand is not read from the store again.
    """

    def __init__(
        self,
        group: Group,
        shard: int,
        store: Store,
        journal: Journal,
        broadcast_streams: int = BROADCAST_STREAMS,
        of: Mapping[str, ShardFold] = MappingProxyType({}),
    ) -> None:
        super().__init__(group, shard, store, journal, broadcast_streams=broadcast_streams)
        assert group.sources
        self._sources = [GroupShard(shard, source.group) for source in group.sources]
        self._of = of
        self._until = 0

    async def _advance(self, batch: Batch) -> int:
        await self._take_up()
        assert self._upto is not None
        if batch.after <= self._upto < batch.upto and not any(
            row.event_type in (self.group.event_types or ()) for row in batch.rows
        ):
            await self._save({}, batch.upto)
            return 0
        to = min(batch.upto, await self._sources_upto())
        folded = 0
        while self._upto < to:
            whole = batch.after <= self._upto and batch.upto == to
            rows = batch.rows if whole else await self._read(self._upto, to)
            upto = to if whole or len(rows) < CHUNK_ROWS else rows[-1].position
            folded += await self._fold_stretch(
                [row for row in rows if row.position > self._upto], upto
            )
        return folded

    async def _read(self, after: int, to: int) -> list[Row]:
        event_types = sorted(self.group.event_types or ())
        return await asyncio.to_thread(
            self._journal[self.place.shard].read, after, CHUNK_ROWS, to, event_types
        )

    async def _fold_stretch(self, rows: Sequence[Row], upto: int) -> int:
        """Fold a stretch, stream by stream; the position moves when all have it."""
        self._until = upto
        own: dict[str, list[Recorded]] = {}
        shared: list[Recorded] = []
        for row in rows:
            if self.group.event_types is not None and row.event_type not in self.group.event_types:
                continue
            if self.group.concerned(row.stream):
                own.setdefault(row.stream, []).append(row.event())
            elif (
                self.group.is_broadcast
                and row.stream.startswith("shard:")
                and self.group.is_broadcast((event := row.event()).data)
            ):
                shared.append(event)
        if own or shared:
            await self._claim()
        if shared:
            async for streams in self._store.streams(self._sources[0]):
                await self._fold_some(
                    {
                        stream: sorted([*own.pop(stream, ()), *shared], key=attrgetter("position"))
                        for stream in streams
                    }
                )
        await self._fold_some(own)
        await self._save({}, upto)
        return len(rows)

    async def _fold_some(self, events: Mapping[str, Sequence[Recorded]]) -> None:
        streams = sorted(events)
        for start in range(0, len(streams), self._broadcast_streams):
            some = streams[start : start + self._broadcast_streams]
            await self._turn()
            await self._load(some)
            changed = {
                stream: self._cache[stream].broadcast(self.group, stream, events[stream], [])
                for stream in some
            }
            assert self._upto is not None
            await self._save(changed, self._upto)
            self._cache.clear()  # the source moves on: what was read of it is soon of yesterday

    async def _claim(self) -> None:
        """Draw another tag, and only then look whether the source has come far enough.

        Trap: a store that is lost behind this, or goes back to a snapshot in which the source has
        not come so far, does not have this tag, so that nothing can be saved of what is read of it
        then.
        """
        assert self._upto is not None
        await self._put({}, self._upto)
        if await self._sources_upto() < self._until:
            self._forget()
            raise Superseded

    async def _sources_upto(self) -> int:
        """How far all sources have come."""
        return min([await self._store.upto(source) for source in self._sources])

    async def _of_sources(self, streams: Sequence[str]) -> list[States]:
        columns = [
            await self._of_source(source, place, streams)
            for source, place in zip(self.group.sources, self._sources, strict=True)
        ]
        return list(zip(*columns, strict=True))

    async def _of_source(
        self, source: Source, place: GroupShard, streams: Sequence[str]
    ) -> list[Any]:
        fold = self._of.get(source.group)
        known = {
            stream: state
            for stream in streams
            if fold and (state := fold.at_hand(stream, source.part, self._until)) is not None
        }
        others = [stream for stream in streams if stream not in known]
        found = await self._store.load(place, [(source.part.key, stream) for stream in others])
        known.update(
            {
                stream: source.part.decode(kept.state) if kept else source.part.initial
                for stream, kept in zip(others, found, strict=True)
            }
        )
        return [known[stream] for stream in streams]
