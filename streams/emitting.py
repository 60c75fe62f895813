"""How does what follows from events become events itself? By the front door, once."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from domain.recorded import Proposed
from streams.cloudevents import write, write_batch
from streams.courier import Courier
from streams.folding import Emit
from streams.journal import Journal, source_key
from streams.routing import shard_of, spread


def emitter(courier: Courier, journal: Journal, shards: int) -> Emit:
    """How reactions enter: by the front door, and waited for until they are in the journal.

    What is in the journal already is not sent again, so folding history once more sends nothing.
    """

    async def emit(proposed: Sequence[Proposed]) -> None:
        by_shard = sorted((copy for event in proposed for copy in spread(event, shards)), key=lambda event: shard_of(event.stream, shards))
        waiting = []
        for shard, events in groupby(by_shard, key=lambda event: shard_of(event.stream, shards)):
            named = {source_key(event.source, event.id): event for event in events}
            known = await asyncio.to_thread(journal[shard].known, named)
            fresh = [write(event) for key, event in named.items() if key not in known]
            if fresh:
                waiting.append(asyncio.wrap_future(courier.submit(shard, write_batch(fresh), batch=True)))
        await asyncio.gather(*waiting)

    return emit
