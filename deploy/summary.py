"""How does the bank stand? Tiers, outcomes, lag, digests and a few customers, once everything is folded."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from deploy.compose import broker_of, journal_of
from deploy.groups import groups_of
from deploy.settings import Settings
from projections.customers import TIER
from projections.projection import Group
from projections.redis import RedisError, RedisStore
from projections.store import Place
from replay.digests import digests
from streams.health import Health, Lag
from streams.lookups import Lookups

POLL = 0.05


class NotSettled(TimeoutError):
    """The read models did not catch up in time."""


async def wait_until_ready(settings: Settings, patience: float = 120.0) -> None:
    """Wait until the read models answer and every group has read every shard; raises `NotSettled`."""
    await _with_health(settings, patience, settled=False)


async def wait_until_settled(settings: Settings, patience: float = 600.0) -> None:
    """Wait until all is folded, and what followed from it too; raises `NotSettled`."""
    await _with_health(settings, patience, settled=True)


async def _with_health(settings: Settings, patience: float, *, settled: bool) -> None:
    store = RedisStore(settings.redis)
    health = Health(journal_of(settings), store, broker_of(settings), groups_of(settings), settings.lag_limit)
    deadline = time.monotonic() + patience
    before: list[Lag] | None = None
    try:
        while time.monotonic() < deadline:
            lags = await _lags(health)
            quiet = lags is not None and all(lag.behind == 0 for lag in lags)
            if quiet and (lags == before if settled else not await health.unfolded()):
                return
            before = lags if quiet else None
            await asyncio.sleep(POLL)
    finally:
        await store.close()
    raise NotSettled(f"the read models did not catch up within {patience:.0f} s: see {settings.data_dir / 'logs'}")


async def _lags(health: Health) -> list[Lag] | None:
    try:
        return await health.lags()
    except (RedisError, OSError):
        return None


async def summary(settings: Settings) -> dict[str, Any]:
    """Outcomes, lag in events, customers, customers by tier, and the digest of every projection."""
    store, groups = RedisStore(settings.redis), groups_of(settings)
    health = Health(journal_of(settings), store, broker_of(settings), groups, settings.lag_limit)
    try:
        tiers = await _tiers(store, groups[0], settings.shards)
        found = await digests(groups, store, settings.shards)
        counts, lags = await health.counts(), await health.lags()
    finally:
        await store.close()
    outcomes = {name: getattr(counts, name) for name in counts.__slots__}
    return {
        **outcomes,
        "balanced": counts.balanced(),
        "lag": sum(lag.behind for lag in lags),
        "customers": tiers.total(),
        "tiers": dict(tiers.most_common()),
        "digests": found,
    }


async def some_customers(settings: Settings, names: Sequence[str]) -> list[dict[str, Any]]:
    """A few customers in short: tier, watch list, last month's measure."""
    store, group = RedisStore(settings.redis), groups_of(settings)[0]
    lookups = Lookups(store, group, settings.shards)
    try:
        found = [(name, await lookups.customer(name)) for name in names]
    finally:
        await store.close()
    return [
        {
            "customer": name,
            "tier": who.standing.tier,
            "since": str(who.standing.since),
            "watch": who.standing.watch,
            "seen": who.standing.grounds.seen if who.standing.grounds else {},
            "accounts": len(who.ledger.accounts),
            "last_seen": str(who.profile.last_seen),
        }
        for name, who in found
        if who is not None
    ]


async def _tiers(store: RedisStore, customers: Group, shards: int) -> Counter[str]:
    part = customers.parts[TIER]
    tiers: Counter[str] = Counter()
    for shard in range(shards):
        place = Place(shard, customers.name)
        streams = {stream async for some in store.streams(place) for stream in some}
        kept = await store.load(place, [(part.key, stream) for stream in sorted(streams)])
        tiers.update(part.decode(one.state).tier or "unassessed" if one else "unassessed" for one in kept)
    return tiers
