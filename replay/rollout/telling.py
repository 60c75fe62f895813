"""Has everybody been told whom a switch moved?

The agents tell, shard by shard, where the word of the switch stands. Here it is waited for.
"""

import asyncio
import time
from collections.abc import Callable

from domain.envelope import Recorded
from domain.event_types import type_key
from domain.rollout.events import SchemeSwitched
from domain.rollout.lifecycle import Lineup
from domain.tiering.events import TierChanged
from projections.redis import RedisStore
from projections.store import GroupShard
from projections.tiering.standing import STANDINGS
from replay.rollout.steps import PAUSE, NotSeen
from streams.journal import FORGOTTEN, Journal, Shard

PATIENCE = 60.0
"""Seconds in which no shard gets on, after which nobody seems to tell."""
CHUNK_ROWS = 1_000


async def told(
    store: RedisStore,
    journal: Journal,
    group: str,
    lineup: Lineup,
    progress: Callable[[int], None],
) -> int:
    """How many customers the last switch of a scheme moved, once all have been told.

    `progress` is told of more as shards get on. Raises `NotSeen` if none does for a while.
    """
    switch = lineup.switches[-1]
    version = f"{STANDINGS}/{switch.after or switch.before}"
    found = [
        await _told_in(store, shard, version, group, len(lineup.switches) - 1, progress)
        for shard in journal
    ]
    return sum(found)


async def _told_in(
    store: RedisStore,
    shard: Shard,
    version: str,
    group: str,
    number: int,
    progress: Callable[[int], None],
) -> int:
    place, reached, deadline = GroupShard(shard.number, version), -1, time.monotonic() + PATIENCE
    while True:
        word = await asyncio.to_thread(_word, shard, group, number)
        upto = await store.upto(place)
        if word is not None and upto >= word.position:
            moved = await asyncio.to_thread(_moved, shard, word)
            progress(moved)
            return moved
        if upto > reached:
            reached, deadline = upto, time.monotonic() + PATIENCE
        if time.monotonic() > deadline:
            raise NotSeen(
                f"shard {shard.number} has not told yet whom the switch moved: are the agents "
                "running? `tierfold replay announce` waits once more"
            )
        await asyncio.sleep(PAUSE)


def _word(shard: Shard, group: str, number: int) -> Recorded | None:
    """The word of a switch in a shard's own stream."""
    return next(
        (
            event
            for event in shard.own()
            if isinstance(event.data, SchemeSwitched)
            and (event.data.group, event.data.switch) == (group, number)
        ),
        None,
    )


def _moved(shard: Shard, word: Recorded) -> int:
    """How many changes of tier follow from the word of a switch."""
    cause, after, count, kind = f"{word.source}#{word.id}", word.position, 0, type_key(TierChanged)
    while rows := shard.read(after, CHUNK_ROWS, event_types=[kind]):
        count += sum(row.event().cause == cause for row in rows if row.event_type != FORGOTTEN)
        after = rows[-1].position
    return count
