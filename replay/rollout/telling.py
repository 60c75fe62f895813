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
from replay.rollout.front_door import NotSeen
from streams.journal import FORGOTTEN, Journal, Shard

PATIENCE = 60.0
"""Seconds in which nothing is recorded in a shard, after which nobody seems to tell."""
LOOK_EVERY = 0.1
CHUNK_ROWS = 1_000


async def told(
    store: RedisStore,
    journal: Journal,
    group: str,
    lineup: Lineup,
    progress: Callable[[int], None],
) -> int:
    """How many customers the last switch of a scheme moved, once all have been told.

    `progress` is told of more with each shard that is done. Raises `NotSeen` if nothing is recorded
    for a while.
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
    place, head, deadline = GroupShard(shard.number, version), -1, time.monotonic() + PATIENCE
    word: Recorded | None = None
    while word is None or await store.upto(place) < word.position:
        word = word or await asyncio.to_thread(_word, shard, group, number)
        grown = await asyncio.to_thread(shard.head)
        if grown > head:
            head, deadline = grown, time.monotonic() + PATIENCE
        if time.monotonic() > deadline:
            raise NotSeen(
                f"shard {shard.number} has not recorded yet whom the switch moved: are the agents "
                "running? `tierfold replay announce` waits once more"
            )
        await asyncio.sleep(LOOK_EVERY)
    moved = await asyncio.to_thread(moved_in, shard, word)
    progress(moved)
    return moved


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


def moved_in(shard: Shard, word: Recorded) -> int:
    """How many changes of tier followed from the word of a switch, but those of the forgotten."""
    cause, after, head = f"{word.source}#{word.id}", word.position, shard.head()
    count, kinds = 0, [type_key(TierChanged)]
    while rows := shard.read(after, CHUNK_ROWS, head, kinds):
        count += sum(row.event().cause == cause for row in rows if row.event_type != FORGOTTEN)
        after = rows[-1].position
    return count
