"""How does a group keep up that reads what another group has folded?

Behind it, and never ahead of it.

What it reads grows and never changes (rows of facts, and what was believed of those that were
restated), so a stretch may be folded stream by stream,
whether it is one day's end or ten years of them: that is how a new version is filled from the
journal.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from domain.envelope import Proposed, Recorded
from projections.projection import Group, Source, States
from projections.store import GroupShard, Store
from streams.broker.batch import Batch
from streams.folds.shard_fold import BROADCAST_STREAMS, Emit, ShardFold, Superseded
from streams.folds.stream_state import StreamState
from streams.journal import Journal, Row

CHUNK_ROWS = 50_000
"""Rows of the few types that matter."""
PATIENCE = 1.0
"""Seconds for which a version waits for the one before it, which is folded beside it."""
PAUSE = 0.01

Find = Callable[[str, Recorded], Group | None]
"""A group by its name, in whose place another tells from an event on; None if all was told."""


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
        emit: Emit | None = None,
        broadcast_streams: int = BROADCAST_STREAMS,
        of: Mapping[str, ShardFold] = MappingProxyType({}),
        find: Find | None = None,
    ) -> None:
        super().__init__(group, shard, store, journal, emit, broadcast_streams=broadcast_streams)
        assert group.sources
        self._sources = [GroupShard(shard, source.group) for source in group.sources]
        self._of = of
        self._find = find
        self._until = 0
        self._seen: dict[str, int] = {}

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
            if self._upto < upto:
                break  # it goes on when the version before has come as far
        return folded

    async def _read(self, after: int, to: int) -> list[Row]:
        event_types = sorted(self.group.event_types or ())
        return await asyncio.to_thread(
            self._journal[self.place.shard].read, after, CHUNK_ROWS, to, event_types
        )

    async def _fold_stretch(self, rows: Sequence[Row], upto: int) -> int:
        """Fold a stretch, up to each event at which this version takes the place of another, and
        that one by itself; the position moves when all streams have it.
        """
        events = await asyncio.to_thread(self._that_matter, rows)
        folded = 0
        for place, event in enumerate(events):
            if (before := self._follows(event)) is not None:
                await self._fold_events(events[folded:place], event.position - 1)
                if not await self._has_passed(before, event):
                    return place
                await self._switch(before, event)
                folded = place + 1
        await self._fold_events(events[folded:], upto)
        return len(rows)

    def _that_matter(self, rows: Sequence[Row]) -> list[Recorded]:
        """The events of some rows that are about a stream, or about all, with their context."""
        found = []
        if rows:
            self._context.read(rows[-1].position)
        for row in rows:
            if self.group.event_types is None or row.event_type in self.group.event_types:
                if self.group.concerned(row.stream):
                    found.append(self._context.tell(row.event()))
                elif row.stream.startswith("shard:"):
                    event = self._context.tell(row.event())
                    found += [event] if self.group.hears(event) else []
        return found

    async def _fold_events(self, events: Sequence[Recorded], upto: int) -> None:
        """Fold some events, stream by stream.

        The end of a day that changes nothing is told only where something is due by then.
        """
        self._until = upto
        own: dict[str, list[Recorded]] = {}
        shared: list[Recorded] = []
        heeded: list[Recorded] = []
        for event in events:
            if not event.stream.startswith("shard:"):
                own.setdefault(event.stream, []).append(event)
            elif self.group.is_broadcast and self.group.is_broadcast(event.data):
                shared.append(event)
            elif self.group.turn and self.group.turn.heeds(event.data):
                heeded.append(event)
        if events:
            await self._claim()
        by_day = await self._due_by(heeded) | own.keys() if heeded else own.keys()

        def told(stream: str) -> list[Recorded]:
            ends = heeded if stream in by_day else ()
            return sorted([*own.get(stream, ()), *shared, *ends], key=attrgetter("position"))

        others = {*by_day}
        if shared:
            async for streams in self._store.streams(self._sources[0]):
                await self._fold_some({stream: told(stream) for stream in streams})
                others -= {*streams}
        await self._fold_some({stream: told(stream) for stream in others})
        await self._save({}, upto)

    async def _due_by(self, ends: Sequence[Recorded]) -> set[str]:
        """The streams in which something is due by the last of some days."""
        assert self.group.turn is not None
        due = await self._store.due(self.place, max(map(self.group.turn.by, ends)))
        if due is None:
            self._forget()  # the index is lost: whoever takes the shard up makes it anew
            raise Superseded
        return {*due}

    async def _fold_some(self, events: Mapping[str, Sequence[Recorded]]) -> None:
        for some in self._pieces(events):
            await self._turn()
            await self._load(some)
            proposed: list[tuple[int, Proposed]] = []
            told = {stream: events[stream] for stream in some}
            since = await self._known_since(told)
            changed = {
                stream: self._cache[stream].broadcast(
                    self.group, stream, _behind(each, since.get(stream, 0)), proposed
                )
                for stream, each in told.items()
            }
            await self._send_here(proposed)
            assert self._upto is not None
            await self._save(changed, self._upto)
            self._cache.clear()  # the source moves on: what was read of it is soon of yesterday

    async def _known_since(self, events: Mapping[str, Sequence[Recorded]]) -> dict[str, int]:
        """The first positions of the streams that may begin behind an event for everyone.

        Trap: what is read of the sources may be of later. A month that the bank had closed before
        the customer came is there, and an event before all of theirs would find it.
        """
        fresh = [stream for stream, told in events.items() if self._may_begin_later(stream, told)]
        return (
            await asyncio.to_thread(self._journal[self.place.shard].firsts, fresh) if fresh else {}
        )

    def _may_begin_later(self, stream: str, told: Sequence[Recorded]) -> bool:
        """Whether a stream may begin behind the first of some events.

        It does not where something of it is folded here, where that event is its own, or where a
        source had something of it by then.
        """
        if self._cache[stream].upto or not told or told[0].stream == stream:
            return False
        return not 0 < self._seen.get(stream, 0) <= told[0].position

    def _pieces(self, streams: Iterable[str]) -> Iterator[list[str]]:
        """Streams in one order, some at a time."""
        found = sorted(streams)
        for start in range(0, len(found), self._broadcast_streams):
            yield found[start : start + self._broadcast_streams]

    def _follows(self, event: Recorded) -> str | None:
        """In the place of which version this one tells from an event on; None if it goes on."""
        return self.group.turn.follows(event) if self.group.turn and self._emit else None

    async def _has_passed(self, name: str, event: Recorded) -> bool:
        """Whether a version, if there is one to wait for, has folded all up to an event."""
        group = self._before(name, event)
        deadline = time.monotonic() + PATIENCE
        while group and not await self._is_past(group, event):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(PAUSE)
        return True

    def _before(self, name: str, event: Recorded) -> Group | None:
        version = f"{self.group.name.partition('/')[0]}/{name}"
        return self._find(version, event) if name and self._find else None

    async def _is_past(self, group: Group, event: Recorded) -> bool:
        return await self._store.upto(self._place_of(group)) >= event.position

    async def _send_here(self, proposed: Sequence[tuple[int, Proposed]]) -> None:
        """Send what follows.

        Trap: read models that were lost while other groups' states were read have none of them.
        What follows from that would stay.
        """
        if proposed:
            await self._must_be_here()
            await self._send(proposed)

    def _place_of(self, group: Group) -> GroupShard:
        return GroupShard(self.place.shard, group.name)

    async def _switch(self, name: str, event: Recorded) -> None:
        """Tell of every stream what follows where readers see this version in the place of
        another; nothing, where that was told, and the other is gone.
        """
        turn, before = self.group.turn, self._before(name, event)
        assert turn is not None
        self._until = event.position
        await self._claim()
        if before or not name:
            async for streams in self._store.streams(self._sources[0]):
                for some in self._pieces(streams):
                    await self._load(some)
                    since = await self._known_since({stream: [event] for stream in some})
                    there = [stream for stream in some if since.get(stream, 0) < event.position]
                    left = await self._left(before, there, event) if before else {}
                    proposed = [
                        (event.position, each)
                        for stream in there
                        for each in turn.told(
                            stream, self._cache[stream].states, event, left.get(stream)
                        )
                    ]
                    if before and not await self._is_past(before, event):
                        self._forget()  # its states were lost while they were read
                        raise Superseded
                    await self._send_here(proposed)
                    self._cache.clear()
        await self._save({}, event.position)

    async def _left(self, before: Group, streams: Sequence[str], event: Recorded) -> dict[str, Any]:
        """What the version before says of streams at an event, at which it may be no more.

        Where it has folded more of a stream since, that is folded from the journal once more.
        """
        assert before.turn is not None
        [part] = before.parts
        kept = await self._store.load(
            self._place_of(before), [(part.key, stream) for stream in streams]
        )
        found = {}
        for stream, state in zip(streams, kept, strict=True):
            of_sources = self._cache[stream].states[len(self.group.parts) :]
            if state is not None and state.upto > event.position:
                then = await asyncio.to_thread(self._then, before, stream, event, of_sources)
            else:
                then = StreamState.of(before, [state], of_sources)
            found[stream] = before.turn.left(then.states, event)
        return found

    def _then(self, group: Group, stream: str, until: Recorded, of_sources: States) -> StreamState:
        """The states of a stream before an event, from the journal."""
        shard, version = self._journal[self.place.shard], 0
        since = shard.firsts([stream]).get(stream, until.position)
        events = [
            event
            for event in shard.own()
            if since < event.position < until.position
            and group.is_broadcast
            and group.is_broadcast(event.data)
        ]
        while some := shard.history(stream, version, event_types=group.event_types or ()):
            events += [event for event in some if event.position < until.position]
            version = some[-1].version
        then = StreamState.of(group, [None], of_sources)
        for event in sorted(events, key=attrgetter("position")):
            then.states = group.evolve(then.states, event)
        return then

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
        """What is read of the sources; `_seen` has by which position each stream had begun."""
        columns = [
            await self._of_source(source, place, streams)
            for source, place in zip(self.group.sources, self._sources, strict=True)
        ]
        found = dict(zip(streams, zip(*columns, strict=True), strict=True))
        self._seen = {
            stream: min((upto for _, upto in each if upto), default=0)
            for stream, each in found.items()
        }
        return [tuple(state for state, _ in each) for each in found.values()]

    async def _of_source(
        self, source: Source, place: GroupShard, streams: Sequence[str]
    ) -> list[tuple[Any, int]]:
        """What is read of one source: states, and the position of the last event in each."""
        fold = self._of.get(source.group)
        known = {
            stream: held
            for stream in streams
            if fold and (held := fold.at_hand(stream, source.part, self._until)) is not None
        }
        others = [stream for stream in streams if stream not in known]
        found = await self._store.load(place, [(source.part.key, stream) for stream in others])
        known.update(
            {
                stream: (source.part.decode(kept.state), kept.upto)
                if kept
                else (source.part.initial, 0)
                for stream, kept in zip(others, found, strict=True)
            }
        )
        return [known[stream] for stream in streams]


def _behind(events: Sequence[Recorded], since: int) -> list[Recorded]:
    """Events from a position on."""
    return [event for event in events if event.position >= since]
