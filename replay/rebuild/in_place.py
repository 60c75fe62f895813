"""How is a version filled from the journal by processes of one's own?

Shard by shard, into the read models, on all cores.

What is folded is saved stretch by stretch, so whoever is killed goes on where the position says.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from projections.projection import Group, States
from projections.redis import RedisStore
from projections.store import GroupShard, Progress, Store, StoredState
from replay.history.as_of import events_of
from replay.rebuild.reader import CHUNK_ROWS, Part, Reader, folded_on, streams_in
from replay.rebuild.workers import pool
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import Superseded
from streams.folds.stream_state import StreamState
from streams.journal import Journal

SAVED_STREAMS = 500
CACHED = 20_000
WAITED = 0.2


class Refill:
    """Processes that fill a group from the journal, each one shard at a time.

    `begin` is the first that each of them does.
    """

    def __init__(
        self, group: Group, journal: Journal, redis: str, begin: Callable[[], None]
    ) -> None:
        self._pool = pool(len(journal), begin=begin)
        self._waiting: set[Future[None]] = {
            self._pool.submit(_fill, group, shard, journal, redis) for shard in range(len(journal))
        }

    def done(self) -> bool:
        """Whether all shards are filled, as far as the journal went; waits for a moment.

        Raises what broke in a process.
        """
        finished, self._waiting = wait(self._waiting, timeout=WAITED)
        for each in finished:
            each.result()
        return not self._waiting

    def close(self) -> None:
        """Let the processes go."""
        self._pool.shutdown(cancel_futures=True)


def _fill(group: Group, shard: int, journal: Journal, redis: str) -> None:
    asyncio.run(_filled(group, shard, journal, RedisStore(redis)))


async def _filled(group: Group, shard: int, journal: Journal, store: RedisStore) -> None:
    try:
        if not group.sources:
            await fill(group, shard, journal, store)
        else:
            await _derived(DerivedFold(group, shard, store, journal))
    finally:
        await store.close()
        journal.close()


async def _derived(deriving: DerivedFold) -> None:
    """Catch up, however often somebody else saves in between."""
    while True:
        try:
            await deriving.catch_up()
        except Superseded:
            await asyncio.sleep(WAITED)
        else:
            return


async def fill(
    group: Group, shard: int, journal: Journal, store: Store, at_once: int = CHUNK_ROWS
) -> None:
    """Bring the states of a shard up to the journal, in stretches of so many rows.

    Nothing is sent: reactions do not run.
    """
    filling = _Filling(group, shard, journal, store, at_once)
    while not await filling.ended():
        pass


class _Filling:
    """One group over one shard."""

    def __init__(
        self, group: Group, shard: int, journal: Journal, store: Store, at_once: int
    ) -> None:
        self._group = group
        self._place = GroupShard(shard, group.name)
        self._journal = journal
        self._store = store
        self._at_once = at_once
        self._cache: dict[str, States] = {}

    async def ended(self) -> bool:
        """Fold all that follows the present position; False if somebody else moved it meanwhile."""
        self._cache.clear()
        after = await self._store.reached(self._place)
        if after.upto == 0 and self._group.is_indexed:
            await self._store.set_indexed(self._place, 0)
        reader = Reader(self._group, self._journal[self._place.shard], after.upto, self._at_once)
        for parts in reader:
            known = (
                [stream async for some in self._store.streams(self._place) for stream in some]
                if len(parts) > 1
                else []
            )
            streams = streams_in(parts, known)
            for start in range(0, len(streams), SAVED_STREAMS):
                saved = await self._folded(
                    streams[start : start + SAVED_STREAMS], parts, after, reader.upto
                )
                if saved is None:
                    return False
                after = saved
            if reader.upto != after.upto:
                moved = await self._store.save(self._place, after, reader.upto, {})
                if moved is None:
                    return False
                after = moved
        return True

    async def _folded(
        self, streams: Sequence[str], parts: list[Part], after: Progress, upto: int
    ) -> Progress | None:
        """Fold a stretch into some streams and save them; the position stays until all have it."""
        if len(self._cache) > CACHED:
            self._cache.clear()
        ahead = await self._load(
            [stream for stream in streams if stream not in self._cache], after.upto
        )
        changed: dict[tuple[str, str], StoredState] = {}
        for stream in streams:
            before = self._cache.get(stream)
            states = (
                self._again(stream, before, ahead[stream], upto)
                if stream in ahead
                else folded_on(self._group, stream, before, parts)
            )
            for part, was, state in zip(
                self._group.parts, before or self._group.initial, states, strict=True
            ):
                if state is not was:
                    changed[part.key, stream] = StoredState.of(part, upto, state)
            self._cache[stream] = states
            if ahead.get(stream, upto) > upto:
                del self._cache[
                    stream
                ]  # it is further than this stretch, and has to be found ahead of the next one too
        return await self._store.save(self._place, after, after.upto, changed) if changed else after

    async def _load(self, streams: Sequence[str], after: int) -> dict[str, int]:
        """Take up states that are kept.

        Gives those that were folded beyond the position by somebody who did not get to move it, and
        how far.
        """
        parts = self._group.parts
        found = await self._store.load(
            self._place, [(part.key, stream) for stream in streams for part in parts]
        )
        ahead = {}
        for index, stream in enumerate(streams):
            kept = found[index * len(parts) : (index + 1) * len(parts)]
            if any(kept):
                found_state = StreamState.of(self._group, kept)
                self._cache[stream], reached = found_state.states, found_state.upto
                if reached > after:
                    ahead[stream] = reached
        return ahead

    def _again(self, stream: str, states: States | None, reached: int, upto: int) -> States:
        """The states of a stream that was folded beyond the position, with what follows of this
        stretch: nothing, as a rule.
        """
        folded = states or self._group.initial
        if reached >= upto:
            return folded
        for event in events_of(self._journal, self._group, stream):
            if reached < event.position <= upto:
                folded = self._group.evolve(folded, event)
        return folded
