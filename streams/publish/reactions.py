"""How does what follows from events become events itself? By the front door, once."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from domain.envelope import Proposed, older_name
from streams.broker.batch import SIZE_LIMIT
from streams.broker.routing import shard_of, spread
from streams.folds.shard_fold import Emit
from streams.ingest.cloudevents import write, write_batch
from streams.journal import Journal, Shard
from streams.publish.confirmed_producer import ConfirmedProducer

BATCH_EVENTS = 1_000
"""Events in one message, which is how many intake commits at once."""


def _parts(events: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Events in order, as many at once as fit a message."""
    part: list[bytes] = []
    size = 0
    for event in events:
        if part and (len(part) == BATCH_EVENTS or size + len(event) > SIZE_LIMIT):
            yield part
            part, size = [], 0
        part.append(event)
        size += len(event)
    if part:
        yield part


def told(shard: Shard, events: Sequence[Proposed]) -> list[bool]:
    """Which of some reactions are recorded, by their names or by those of older releases.

    By an older name others may have told something else.
    """
    known = [at is not None for at in shard.find(events)]
    renamed = [(place, older) for place, event in enumerate(events) if (older := older_name(event))]
    found = zip(renamed, shard.find([event for _, event in renamed]), strict=True)
    there = [(place, older, at) for (place, older), at in found if at is not None]
    told_then = shard.identified([older for _, older, _ in there])
    for (place, _, at), identity in zip(there, told_then, strict=True):
        known[place] |= at.content == identity.content
    return known


def emitter(producer: ConfirmedProducer, journal: Journal, shards: int) -> Emit:
    """How reactions enter: by the front door, and waited for until they are in the journal.

    What is in the journal already is not sent again, so folding history once more sends nothing.
    """

    async def emit(proposed: Sequence[Proposed]) -> None:
        by_shard = sorted(
            (copy for event in proposed for copy in spread(event, shards)),
            key=lambda event: shard_of(event.stream, shards),
        )
        waiting = []
        for shard, events in groupby(by_shard, key=lambda event: shard_of(event.stream, shards)):
            once = list({(event.id, event.stream): event for event in events}.values())
            known = await asyncio.to_thread(told, journal[shard], once)
            fresh = (write(event) for event, there in zip(once, known, strict=True) if not there)
            waiting += [
                asyncio.wrap_future(producer.submit(shard, write_batch(some), batch=True))
                for some in _parts(fresh)
            ]
        await asyncio.gather(*waiting)

    return emit
