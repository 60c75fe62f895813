"""How is a version filled from the journal by processes of one's own? Shard by shard, into the read models, on all cores.

The folding is the agents' own, in longer stretches: it saves as it goes, so whoever is killed goes on where it was.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, wait

from projections.projection import Group
from projections.redis import RedisStore
from replay.pool import pool
from streams.deriving import Deriving
from streams.folding import Folding
from streams.journal import Journal

READ_AT_ONCE = 20_000
WAITED = 0.2


class Refill:
    """Processes that fill a group from the journal, each one shard at a time; `begin` is the first that each of them does."""

    def __init__(self, group: Group, journal: Journal, redis: str, begin: Callable[[], None]) -> None:
        self._pool = pool(len(journal), begin=begin)
        self._waiting: set[Future[int]] = {self._pool.submit(_fill, group, shard, journal.url, len(journal), redis) for shard in range(len(journal))}

    def done(self) -> bool:
        """Whether all shards are filled, as far as the journal went; waits for a moment. Raises what broke in a process."""
        finished, self._waiting = wait(self._waiting, timeout=WAITED)
        for each in finished:
            each.result()
        return not self._waiting

    def close(self) -> None:
        """Let the processes go."""
        self._pool.shutdown(cancel_futures=True)


def _fill(group: Group, shard: int, url: str, shards: int, redis: str) -> int:
    return asyncio.run(_filled(group, shard, Journal(url, shards), RedisStore(redis)))


async def _filled(group: Group, shard: int, journal: Journal, store: RedisStore) -> int:
    folding = Folding(group, shard, store, journal, at_once=READ_AT_ONCE) if group.source is None else Deriving(group, shard, store, journal)
    try:
        return await folding.catch_up()
    finally:
        await store.close()
