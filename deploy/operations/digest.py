"""What are the digests of the projections of these settings: live, and rebuilt?"""

from deploy.active_groups import present_of
from deploy.settings import Settings
from deploy.terminal import progress
from deploy.wiring import journal_of, store_of
from replay.rebuild.digests import digests
from replay.rebuild.in_memory import rebuild


async def live_digests(settings: Settings) -> dict[str, str]:
    """The digests of the states in Redis."""
    store = store_of(settings)
    try:
        return await digests(present_of(settings).live, store, settings.shards)
    finally:
        await store.close()


async def rebuilt_digests(settings: Settings) -> dict[str, str]:
    """The digests of states folded from the journal anew."""
    journal = journal_of(settings)
    groups = present_of(settings, journal).live
    with progress("folded") as advance:
        store = rebuild(groups, journal, advance)
    return await digests(groups, store, settings.shards)
