"""How does a group keep up that reads what another group has folded? Behind it, and never ahead of it.

What it reads grows and never changes (rows of facts), so a stretch may be folded stream by stream, whether it is one
day's end or ten years of them: that is how a new version is filled from the journal.
"""

import asyncio
from collections.abc import Mapping, Sequence
from operator import attrgetter

from domain.envelope import Recorded
from projections.projection import Group, States
from projections.store import Place, Store
from streams.broker.batch import Batch
from streams.folds.shard_fold import SWEEP_AT_ONCE, Folding, Superseded
from streams.journal import Journal, Row

READ_AT_ONCE = 50_000
"""Rows of the few types that matter."""


class Deriving(Folding):
    """One group with a source over one shard. What the folding `of` its source has at hand is not read from the store again."""

    def __init__(self, group: Group, shard: int, store: Store, journal: Journal, sweep: int = SWEEP_AT_ONCE, of: Folding | None = None) -> None:
        super().__init__(group, shard, store, journal, sweep=sweep)
        assert group.source is not None
        self._source = Place(shard, group.source.group)
        self._part = group.source.part
        self._of = of
        self._until = 0

    async def _advance(self, batch: Batch) -> int:
        await self._take_up()
        assert self._upto is not None
        if batch.after <= self._upto < batch.upto and not any(row.topic in (self.group.topics or ()) for row in batch.rows):
            await self._save({}, batch.upto)
            return 0
        to = min(batch.upto, await self._store.upto(self._source))
        folded = 0
        while self._upto < to:
            whole = batch.after <= self._upto and batch.upto == to
            rows = batch.rows if whole else await self._read(self._upto, to)
            upto = to if whole or len(rows) < READ_AT_ONCE else rows[-1].position
            folded += await self._fold_stretch([row for row in rows if row.position > self._upto], upto)
        return folded

    async def _read(self, after: int, to: int) -> list[Row]:
        topics = sorted(self.group.topics or ())
        return await asyncio.to_thread(self._journal[self.place.shard].read, after, READ_AT_ONCE, to, topics)

    async def _fold_stretch(self, rows: Sequence[Row], upto: int) -> int:
        """Fold a stretch, stream by stream; the position moves when all have it."""
        self._until = upto
        own: dict[str, list[Recorded]] = {}
        shared: list[Recorded] = []
        for row in rows:
            if self.group.topics is not None and row.topic not in self.group.topics:
                continue
            if self.group.concerned(row.stream):
                own.setdefault(row.stream, []).append(row.event())
            elif self.group.everyone and row.stream.startswith("shard:") and self.group.everyone((event := row.event()).data):
                shared.append(event)
        if own or shared:
            await self._claim()
        if shared:
            async for streams in self._store.streams(self._source):
                await self._fold_some({stream: sorted([*own.pop(stream, ()), *shared], key=attrgetter("position")) for stream in streams})
        await self._fold_some(own)
        await self._save({}, upto)
        return len(rows)

    async def _fold_some(self, events: Mapping[str, Sequence[Recorded]]) -> None:
        streams = sorted(events)
        for start in range(0, len(streams), self._sweep_at_once):
            some = streams[start : start + self._sweep_at_once]
            await self._load(some)
            changed = {stream: self._cache[stream].sweep(self.group, stream, events[stream], []) for stream in some}
            assert self._upto is not None
            await self._save(changed, self._upto)
            self._cache.clear()  # the source moves on: what was read of it is soon of yesterday

    async def _claim(self) -> None:
        """Draw another tag, and only then look whether the source has come far enough.

        Trap: a store that is lost behind this, or goes back to a snapshot in which the source has not come so far, does not have this tag, so that
        nothing can be saved of what is read of it then.
        """
        assert self._upto is not None
        await self._put({}, self._upto)
        if await self._store.upto(self._source) < self._until:
            self._forget()
            raise Superseded

    async def _beside(self, streams: Sequence[str]) -> list[States]:
        known = {stream: state for stream in streams if self._of and (state := self._of.at_hand(stream, self._part, self._until)) is not None}
        others = [stream for stream in streams if stream not in known]
        found = await self._store.load(self._source, [(self._part.key, stream) for stream in others])
        known.update({stream: self._part.decode(kept.state) if kept else self._part.initial for stream, kept in zip(others, found, strict=True)})
        return [(known[stream],) for stream in streams]
