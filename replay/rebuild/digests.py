"""Are two sets of states the same? One digest per projection, over every state of every shard."""

from collections.abc import Sequence

from projections.projection import Group, digest
from projections.store import GroupShard, Store

CHUNK_STREAMS = 500


async def digests(groups: Sequence[Group], store: Store, shards: int) -> dict[str, str]:
    """The digest of every projection by `name@version`.

    Of what the states say, not of where in a shard they were folded.
    """
    found: dict[str, str] = {}
    for group in groups:
        for part in group.parts:
            states: dict[str, bytes] = {}
            for shard in range(shards):
                states.update(await _states(store, GroupShard(shard, group.name), part.key))
            found[part.key] = digest(states.items())
    return found


async def _states(store: Store, place: GroupShard, key: str) -> dict[str, bytes]:
    states: dict[str, bytes] = {}
    async for streams in store.streams(place):
        for start in range(0, len(streams), CHUNK_STREAMS):
            some = streams[start : start + CHUNK_STREAMS]
            kept = await store.load(place, [(key, stream) for stream in some])
            states.update(
                {stream: one.state for stream, one in zip(some, kept, strict=True) if one}
            )
    return states
