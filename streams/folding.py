"""How does a group of folds keep up with a shard? Fold what follows, ignore what was seen, heal a gap.

A batch is a nudge that carries a copy. Whether it comes late, twice or not at all, the states end up where the
journal says, because the only thing believed is the position saved with them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import structlog

from domain.recorded import Proposed, Recorded
from projections.projection import Group, States
from projections.store import Kept, Place, Store
from streams.batch import Batch
from streams.journal import Journal, Row

log = structlog.get_logger()

READ_AT_ONCE = 2_000
SWEEP_AT_ONCE = 500
CACHED = 20_000
IDLE_AFTER = 3.0
"""Seconds without a batch after which a shard that is behind heals from the journal."""

Emit = Callable[[Sequence[Proposed]], Awaitable[None]]


class Superseded(Exception):
    """Another worker has moved this shard on; what is remembered of it here is stale."""


class Folding:
    """One group over one shard."""

    def __init__(self, group: Group, shard: int, store: Store, journal: Journal, emit: Emit | None = None, sweep: int = SWEEP_AT_ONCE) -> None:
        self._group = group
        self._place = Place(shard, group.name)
        self._store = store
        self._journal = journal
        self._emit = emit
        self._sweep_at_once = sweep
        self._streams = f"{group.kind}:"
        self._upto: int | None = None
        self._moved = 0.0
        self._cache: dict[str, _Held] = {}
        self._busy = asyncio.Lock()

    async def advance(self, batch: Batch) -> int:
        """Bring the shard's states up to a batch; gives the number of events folded."""
        async with self._busy:
            try:
                try:
                    return await self._advance(batch)
                except Superseded:
                    log.info("shard_reloaded", group=self._group.name, shard=self._place.shard)
                    return await self._advance(batch)
            except BaseException:
                self._forget()
                raise

    async def heal_if_idle(self) -> int:
        """Catch up, unless batches have moved the shard of late: then more of them are on their way."""
        if self._upto is not None and time.monotonic() - self._moved < IDLE_AFTER:
            return 0
        async with self._busy:
            if await self._store.upto(self._place) != self._upto:
                self._forget()  # the read models were lost, or another worker has moved them on
        return await self.catch_up()

    async def catch_up(self) -> int:
        """Bring the shard's states up to the journal; gives the number of events folded."""
        head = await asyncio.to_thread(self._journal[self._place.shard].head)
        return await self.advance(Batch(head, head, []))

    async def _advance(self, batch: Batch) -> int:
        if self._upto is None:
            self._upto = await self._store.upto(self._place)
        folded = 0
        if batch.after > self._upto:
            folded = await self._heal(batch.after)
        rows = [row for row in batch.rows if row.position > self._upto]
        if rows:
            await self._fold(rows)
        return folded + len(rows)

    async def _heal(self, to: int) -> int:
        """Read what is missing from the journal; a journal that is behind the batch has no more to give."""
        assert self._upto is not None
        folded = 0
        while rows := await asyncio.to_thread(self._journal[self._place.shard].read, self._upto, READ_AT_ONCE, to):
            await self._fold(rows)
            folded += len(rows)
        log.debug("gap_healed", group=self._group.name, shard=self._place.shard, events=folded)
        return folded

    async def _fold(self, rows: Sequence[Row]) -> None:
        """Fold rows that follow the present position: runs of the streams' own events, and events for everyone."""
        run: list[Recorded] = []
        for row in rows:
            if self._is_ours(row):
                run.append(row.event())
            elif self._group.everyone and row.stream.startswith("shard:") and self._group.everyone((event := row.event()).data):
                await self._fold_run(run, event.position - 1)
                await self._sweep(event)
                run = []
        await self._fold_run(run, rows[-1].position)

    def _is_ours(self, row: Row) -> bool:
        topics = self._group.topics
        return row.stream.startswith(self._streams) and (topics is None or row.topic in topics)

    async def _fold_run(self, events: Sequence[Recorded], upto: int) -> None:
        """Fold events stream by stream: what happened to one does not change another."""
        by_stream: dict[str, list[Recorded]] = {}
        for event in events:
            by_stream.setdefault(event.stream, []).append(event)
        await self._load(by_stream.keys())
        proposed: list[tuple[int, Proposed]] = []
        changed = {stream: self._cache[stream].fold(self._group, run, proposed) for stream, run in by_stream.items()}
        if proposed and self._emit is not None:
            await self._emit([each for _, each in sorted(proposed, key=itemgetter(0))])
        await self._save(changed, upto)

    async def _sweep(self, event: Recorded) -> None:
        """Fold one event into every stream of the shard, some at a time; the position moves when all have it."""
        async for streams in self._store.streams(self._place):
            for start in range(0, len(streams), self._sweep_at_once):
                some = streams[start : start + self._sweep_at_once]
                await self._load(some)
                changed = {stream: self._cache[stream].fold(self._group, (event,), []) for stream in some}
                assert self._upto is not None
                await self._save(changed, self._upto)
        await self._save({}, event.position)

    async def _load(self, streams: Collection[str]) -> None:
        if len(self._cache) > CACHED:
            self._cache.clear()
        missing = sorted({*streams} - self._cache.keys())
        parts = self._group.parts
        found = await self._store.load(self._place, [(part.key, stream) for stream in missing for part in parts])
        for index, stream in enumerate(missing):
            self._cache[stream] = _Held.of(self._group, found[index * len(parts) : (index + 1) * len(parts)])

    async def _save(self, changed: Mapping[str, Collection[int]], upto: int) -> None:
        assert self._upto is not None
        parts = self._group.parts
        states = {(parts[part].key, stream): self._cache[stream].kept(self._group, part) for stream, some in changed.items() for part in some}
        if (states or upto != self._upto) and not await self._store.save(self._place, self._upto, upto, states):
            self._forget()
            raise Superseded
        if upto != self._upto:
            self._moved = time.monotonic()
        self._upto = upto

    def _forget(self) -> None:
        self._upto = None
        self._cache.clear()


class _Held:
    """The states of one stream, and the last position folded into any of them."""

    __slots__ = ("states", "upto")

    def __init__(self, states: States, upto: int) -> None:
        self.states = states
        self.upto = upto

    @classmethod
    def of(cls, group: Group, found: Sequence[Kept | None]) -> "_Held":
        states = tuple(part.decode(kept.state) if kept else part.initial for part, kept in zip(group.parts, found, strict=True))
        return cls(states, max((kept.upto for kept in found if kept), default=0))

    def fold(self, group: Group, events: Sequence[Recorded], proposed: list[tuple[int, Proposed]]) -> list[int]:
        """Fold the events that are not folded yet, noting what should follow from which position; gives which parts they changed."""
        before = states = self.states
        for event in events:
            if event.position > self.upto:
                if group.react is not None:
                    proposed += [(event.position, each) for each in group.react(states, event)]
                states = group.evolve(states, event)
                self.upto = event.position
        self.states = states
        return [part for part, state in enumerate(states) if state is not before[part]]

    def kept(self, group: Group, part: int) -> Kept:
        """One of the states, as it is kept."""
        return Kept(self.upto, group.parts[part].encode(self.states[part]))


def decoded(group: Group, found: Sequence[Kept | None]) -> tuple[Any, ...]:
    """The states that a reader found, initial where there is none."""
    return _Held.of(group, found).states
