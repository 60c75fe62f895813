"""Which shard does an event belong to? The partition that Java's producers choose for its key."""

from collections.abc import Iterable
from functools import lru_cache

from domain.envelope import Proposed
from domain.event import BANK
from streams.broker.kafka import murmur2


@lru_cache(maxsize=1 << 18)
def shard_of(stream: str, shards: int) -> int:
    """The shard of a stream: murmur2 of the key as in Kafka's default partitioner.

    `shard:n` is pinned to n.

    >>> shard_of("shard:3", 4)
    3
    """
    kind, _, name = stream.partition(":")
    if kind == "shard" and name.isdecimal():
        return int(name) % shards
    return int((murmur2(stream.encode()) & 0x7FFFFFFF) % shards)


def spread(event: Proposed, shards: int) -> Iterable[Proposed]:
    """The event as it enters the shards.

    Itself, or one copy for each shard if it concerns the whole bank.
    """
    if event.stream != BANK:
        return (event,)
    return tuple(
        event._replace(stream=f"shard:{shard}", id=f"{event.id}/{shard}") for shard in range(shards)
    )
