"""How does the bank's own word get into the journal, and who waits until it is there?"""

import asyncio
import time
from collections.abc import Sequence
from itertools import groupby

from domain.envelope import Proposed
from streams.broker.routing import shard_of
from streams.journal import Journal
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.publish.reactions import emitter

PATIENCE = 30.0
PAUSE = 0.01


class NotSeen(TimeoutError):
    """Something is on its way, and what should follow from it is not to be seen yet."""


async def record(
    journal: Journal,
    producer: ConfirmedProducer,
    events: Sequence[Proposed],
    patience: float = PATIENCE,
) -> None:
    """Send events, and wait until the journal has each of them; raises `NotSeen`."""

    def shard_of_event(event: Proposed) -> int:
        return shard_of(event.stream, len(journal))

    await emitter(producer, journal, len(journal))(events)
    deadline = time.monotonic() + patience
    for number, some in groupby(sorted(events, key=shard_of_event), key=shard_of_event):
        own = list(some)
        while None in await asyncio.to_thread(journal[number].find, own):
            if time.monotonic() > deadline:
                raise NotSeen(
                    "it was sent, and the journal does not have it yet: is the intake running?"
                )
            await asyncio.sleep(PAUSE)
