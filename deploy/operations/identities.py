"""How are numbers found, merged and un-merged that may be one person's?"""

from collections.abc import Callable

from deploy.active_groups import present_of
from deploy.operations.own_word import say
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import existing_journal, store_of
from domain.envelope import Proposed
from projections.customers.group import CUSTOMERS
from projections.customers.identity import IDENTITY
from projections.customers.likeness import Likeness
from projections.customers.profile import PROFILE
from projections.redis import RedisStore
from projections.store import GroupShard
from streams.broker.routing import shard_of

CHUNK = 1_000


async def alike(settings: Settings, progress: Callable[[int], None]) -> Likeness:
    """The keys of every customer, by the read models."""
    store, found = store_of(settings), Likeness()
    group = present_of(settings).of(CUSTOMERS.name)
    try:
        for shard in range(settings.shards):
            place = GroupShard(shard, group.name)
            async for streams in store.streams(place):
                for start in range(0, len(streams), CHUNK):
                    await _add(store, place, streams[start : start + CHUNK], found)
                progress(len(streams))
    finally:
        await store.close()
    return found


async def _add(store: RedisStore, place: GroupShard, streams: list[str], found: Likeness) -> None:
    profiles = await store.load(place, [(PROFILE.key, stream) for stream in streams])
    known = await store.load(place, [(IDENTITY.key, stream) for stream in streams])
    for stream, profile, identity in zip(streams, profiles, known, strict=True):
        if profile is not None:
            found.add(
                stream,
                PROFILE.decode(profile.state),
                IDENTITY.decode(identity.state) if identity else IDENTITY.initial,
            )


async def decide(settings: Settings, event: Proposed, other: str) -> None:
    """Record that two numbers are one person's, or are not.

    Raises `UserError` where nothing is recorded of one of them, or no intake takes it.
    """
    journal = existing_journal(settings)
    for stream in (event.stream, other):
        if not journal[shard_of(stream, len(journal))].rows(stream, limit=1):
            raise UserError(f"nothing was ever recorded of {stream}")
    await say(settings, journal, event, "nothing is decided")
