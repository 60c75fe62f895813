"""How does a group of folds keep up with a shard?

Fold what follows, ignore what was seen, heal a gap.

A batch is a nudge that carries a copy. Whether it comes late, twice or not at all, the states end
up where the journal says, because the only thing believed is the position saved with them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import structlog

from domain.envelope import Proposed, Recorded
from projections.projection import Group, Projection, States
from projections.store import GroupShard, Progress, Store, StoredState
from streams.broker.batch import Batch, not_stale
from streams.folds.bank_context import Context
from streams.folds.stream_state import StreamState, partial, stretches
from streams.journal import Journal, Row
from streams.observability.metrics import HEALED

log = structlog.get_logger()

CHUNK_ROWS = 2_000
BROADCAST_STREAMS = 500
CACHED = 20_000

Emit = Callable[[Sequence[Proposed]], Awaitable[None]]
Turn = Callable[[], Awaitable[None]]
"""Wait until a piece of work that has time may be done."""


class Superseded(Exception):
    """Another worker has moved this shard on; what is remembered of it here is stale."""


class ShardFold:
    """One group over one shard."""

    def __init__(
        self,
        group: Group,
        shard: int,
        store: Store,
        journal: Journal,
        emit: Emit | None = None,
        broadcast_streams: int = BROADCAST_STREAMS,
        at_once: int = CHUNK_ROWS,
    ) -> None:
        self.group = group
        self.place = GroupShard(shard, group.name)
        self._store = store
        self._journal = journal
        self._emit = emit
        self._broadcast_streams = broadcast_streams
        self._at_once = at_once
        self._partial = partial(group)
        self._event_types = sorted(group.read_types)
        self._upto: int | None = None
        self._etag = ""
        self._cache: dict[str, StreamState] = {}
        self._proposed: list[tuple[int, Proposed]] = []
        self._changed: dict[str, set[int]] = {}
        self._busy = asyncio.Lock()
        self._bank_context: Context | None = None
        self._turn: Turn = _at_once

    async def advance(self, batch: Batch) -> int:
        """Bring the shard's states up to a batch; gives the number of events folded.

        Trap: rows wait opened while a customer may be forgotten, restricted or lifted. Folded then,
        they would bring back what is gone, or lack what is there again.
        """
        shard = self._journal[self.place.shard]
        async with self._busy:
            try:
                try:
                    return await self._advance(not_stale(shard, batch))
                except Superseded:
                    log.info("shard_reloaded", group=self.group.name, shard=self.place.shard)
                    return await self._advance(not_stale(shard, batch))
            except BaseException:
                self._forget()
                raise

    def at_hand(self, stream: str, part: Projection[Any], upto: int) -> tuple[Any, int] | None:
        """The state of a stream that is remembered here, folded up to a position or beyond, and the
        position of the last event in it.

        None if there is none.
        """
        held = self._cache.get(stream) if self._upto is not None and self._upto >= upto else None
        return None if held is None else (held.states[self.group.parts.index(part)], held.upto)

    async def heal(self, head: int) -> int:
        """Catch up with the journal, also where the states are no longer what was left here."""
        async with self._busy:
            if await self._store.reached(self.place) != (self._upto, self._etag):
                self._forget()  # the read models were lost, or another worker has moved them on
        return 0 if self._upto == head else await self.advance(Batch(head, head, []))

    async def catch_up(self, turn: Turn | None = None) -> int:
        """Bring the shard's states up to the journal; gives the number of events folded.

        Some at a time, each when it has its `turn`.
        """
        head = await asyncio.to_thread(self._journal[self.place.shard].head)
        self._turn = turn or _at_once
        try:
            return await self.advance(Batch(head, head, []))
        finally:
            self._turn = _at_once

    async def _advance(self, batch: Batch) -> int:
        await self._take_up()
        assert self._upto is not None
        folded = 0
        if batch.after > self._upto:
            folded = await self._heal(batch.after)
        if not batch.after <= self._upto < batch.upto:
            return folded
        rows = [row for row in batch.rows if row.position > self._upto]
        await self._fold(rows, batch.upto)
        return folded + len(rows)

    async def _take_up(self) -> None:
        if self._upto is None:
            self._upto, self._etag = await self._store.reached(self.place)
            if self.group.is_indexed and not await self._store.is_indexed(self.place):
                await self._index()

    async def _index(self) -> None:
        """Keep all states once more, with what is due in them: an earlier release did not."""
        async for streams in self._store.streams(self.place):
            await self._load(streams)
            assert self._upto is not None
            await self._save({stream: self._there(stream) for stream in streams}, self._upto)
        assert self._upto is not None
        await self._put({}, self._upto)
        await self._store.set_indexed(self.place, self._upto)
        self._cache.clear()  # what was read of other groups is soon of yesterday

    def _there(self, stream: str) -> list[int]:
        """The parts of a stream that have a state."""
        states = self._cache[stream].states
        return [
            number for number, part in enumerate(self.group.parts) if states[number] != part.initial
        ]

    async def _heal(self, to: int) -> int:
        """Read what is missing from the journal.

        A journal that is behind the batch has no more to give.
        """
        assert self._upto is not None
        folded = 0
        to = min(to, await asyncio.to_thread(self._journal[self.place.shard].head))
        while self._upto < to:
            await self._turn()
            rows = await asyncio.to_thread(
                self._journal[self.place.shard].read,
                self._upto,
                self._at_once,
                to,
                self._event_types,
            )
            await self._fold(rows, to if len(rows) < self._at_once else rows[-1].position)
            folded += len(rows)
        HEALED.labels(self.group.name).inc(folded)
        log.debug("gap_healed", group=self.group.name, shard=self.place.shard, events=folded)
        return folded

    async def _fold(self, rows: Sequence[Row], upto: int) -> None:
        """Fold all that follows the present position up to another.

        Rows of the streams themselves, and events for everyone.
        """
        for by_stream, event in stretches(self.group, rows, keep=_as_it_is):
            await self._fold_streams(by_stream)
            if event is not None and self.group.is_indexed:
                await self._fold_due(await self._told(event))
            elif event is not None:
                await self._flush(event.position - 1)
                await self._broadcast(await self._told(event))
        await self._flush(upto)

    async def _fold_streams(self, by_stream: Mapping[str, Sequence[Row]]) -> None:
        """Fold rows stream by stream: what happened to one does not change another."""
        await self._load(by_stream.keys())
        for stream, rows in by_stream.items():
            self._note(
                stream,
                self._cache[stream].fold(self.group, stream, rows, self._partial, self._proposed),
            )

    async def _fold_due(self, event: Recorded) -> None:
        """Fold an event for everyone into the streams in which something is due by its day.

        Where there are many, what was folded before is saved first, and then some at a time: the
        position moves when all have it.
        """
        due = await self._due(event)
        if len(due) > self._broadcast_streams:
            await self._flush(event.position - 1)
            due = await self._due(event)
        for start in range(0, len(due), self._broadcast_streams):
            if start:
                assert self._upto is not None
                await self._flush(self._upto)
            some = due[start : start + self._broadcast_streams]
            await self._load(some)
            for stream in some:
                self._note(
                    stream,
                    self._cache[stream].broadcast(self.group, stream, [event], self._proposed),
                )

    async def _due(self, event: Recorded) -> list[str]:
        """The streams in which something is due, by the index and by what is not saved yet."""
        due = await self._store.due(self.place, event.business_date)
        if due is None:
            self._forget()  # the index is lost: whoever takes the shard up makes it anew
            raise Superseded
        return sorted({*due, *self._changed})

    def _note(self, stream: str, parts: Sequence[int]) -> None:
        """Note which parts of a stream are to be saved."""
        if parts:
            self._changed.setdefault(stream, set()).update(parts)

    async def _flush(self, upto: int) -> None:
        """Send what follows from all that was folded, and save it."""
        proposed, changed = self._proposed, self._changed
        self._proposed, self._changed = [], {}
        await self._send(proposed)
        await self._save(changed, upto)

    async def _told(self, event: Recorded) -> Recorded:
        """An event for everyone with what its group wants to know beside it."""
        if self.group.context is None:
            return event
        return await asyncio.to_thread(self._context.tell, event)

    async def _broadcast(self, event: Recorded) -> None:
        """Fold one event into every stream of the shard, some at a time, by name.

        The position moves when all have it.

        In one order, whatever order the store has: what follows from them comes in the same order
        in every run.
        """
        streams = sorted(
            {stream async for some in self._store.streams(self.place) for stream in some}
        )
        for start in range(0, len(streams), self._broadcast_streams):
            some = streams[start : start + self._broadcast_streams]
            await self._load(some)
            proposed: list[tuple[int, Proposed]] = []
            there = [
                stream for stream in some if self._cache[stream].upto
            ]  # others are of a time that was undone
            changed = {
                stream: self._cache[stream].broadcast(self.group, stream, [event], proposed)
                for stream in there
            }
            await self._send(proposed)
            assert self._upto is not None
            await self._save(changed, self._upto)
        if self.group.after_broadcast is not None:
            await self._must_be_here()
            said = self.group.after_broadcast(event, self.place.shard, len(self._journal))
            await self._send([(event.position, each) for each in said])
        await self._save({}, event.position)

    async def _must_be_here(self) -> None:
        """Trap: read models that were lost while all streams were looked for have fewer streams,
        and the shard would say that it has folded them all.
        """
        if await self._store.reached(self.place) != (self._upto, self._etag):
            self._forget()
            raise Superseded

    async def _send(self, proposed: Sequence[tuple[int, Proposed]]) -> None:
        """Send what follows, in the order of its causes, and wait until it is in the journal.

        Only then may the position move.
        """
        if proposed and self._emit is not None:
            await self._emit([each for _, each in sorted(proposed, key=itemgetter(0))])

    async def _load(self, streams: Collection[str]) -> None:
        if len(self._cache) > CACHED and not self._changed:
            self._cache.clear()
        missing = sorted({*streams} - self._cache.keys())
        parts = self.group.parts
        found = await self._load_here([(part.key, stream) for stream in missing for part in parts])
        of_sources = await self._of_sources(missing)
        for index, stream in enumerate(missing):
            self._cache[stream] = StreamState.of(
                self.group, found[index * len(parts) : (index + 1) * len(parts)], of_sources[index]
            )

    async def _load_here(self, wanted: Sequence[tuple[str, str]]) -> list[StoredState | None]:
        """States as they are where this shard is.

        Trap: read models that were lost, or went back to a snapshot, or were saved by another
        worker, since the shard was taken up have other states. What follows from these would be
        sent, and stay, before saving fails.
        """
        assert self._upto is not None
        found = (
            await self._store.load_at(self.place, Progress(self._upto, self._etag), wanted)
            if wanted
            else []
        )
        if found is None:
            self._forget()
            raise Superseded
        return found

    async def _of_sources(self, streams: Sequence[str]) -> list[States]:
        """What is read of other groups, for each of these streams."""
        return [() for _ in streams]

    async def _save(self, changed: Mapping[str, Collection[int]], upto: int) -> None:
        assert self._upto is not None
        parts = self.group.parts
        states = {
            (parts[part].key, stream): self._cache[stream].stored(self.group, part)
            for stream, some in changed.items()
            for part in some
        }
        if not states and upto == self._upto:
            return
        await self._put(states, upto)

    async def _put(self, states: Mapping[tuple[str, str], StoredState], upto: int) -> None:
        """Save, or learn that somebody else has."""
        assert self._upto is not None
        moved = await self._store.save(self.place, Progress(self._upto, self._etag), upto, states)
        if moved is None:
            self._forget()
            raise Superseded
        self._upto, self._etag = moved

    @property
    def _context(self) -> Context:
        if self._bank_context is None:
            self._bank_context = Context(self.group, self._journal[self.place.shard])
        return self._bank_context

    def _forget(self) -> None:
        self._upto = None
        self._cache.clear()
        self._proposed, self._changed = [], {}


async def _at_once() -> None:
    pass


def _as_it_is(row: Row) -> Row:
    return row
