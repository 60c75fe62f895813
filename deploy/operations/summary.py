"""How does the bank stand?

Tiers, outcomes, lag, digests and a few customers, once everything is folded.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from deploy.active_groups import present_of, register_of
from deploy.settings import Settings
from deploy.wiring import broker_of, journal_of, store_of
from projections.customers.group import CUSTOMERS
from projections.redis import RedisError, RedisStore
from projections.registry import Present
from projections.store import GroupShard
from projections.tiering.standing import STANDINGS
from replay.rebuild.digests import digests
from streams.broker.kafka import KafkaError
from streams.queries.health import Health, Lag
from streams.queries.lookups import Lookups

POLL = 0.05


class NotSettled(TimeoutError):
    """The read models did not catch up in time."""


async def wait_until_ready(settings: Settings, patience: float = 120.0) -> None:
    """Wait until the read models answer and every group has read every shard; raises
    `NotSettled`.
    """
    await _with_health(settings, patience, settled=False)


async def wait_until_settled(settings: Settings, patience: float = 600.0) -> None:
    """Wait until all is folded, and what followed from it too; raises `NotSettled`.

    Where the broker keeps what came, also until nothing waits there to be taken.
    """
    await _with_health(settings, patience, settled=True)


async def _with_health(settings: Settings, patience: float, *, settled: bool) -> None:
    store = store_of(settings)
    journal = journal_of(settings)
    health = Health(
        journal,
        store,
        broker_of(settings),
        register_of(settings, store, journal),
        settings.lag_limit,
    )
    deadline = time.monotonic() + patience
    before: list[Lag] | None = None
    taken = False
    try:
        while time.monotonic() < deadline:
            lags = await _lags(health)
            quiet = lags is not None and all(lag.behind == 0 for lag in lags)
            if quiet and (lags == before and taken if settled else not await health.unfolded()):
                return
            before = lags if quiet else None
            taken = quiet and settled and await _nothing_waits(health, settings)
            await asyncio.sleep(POLL)
    finally:
        await store.close()
    raise NotSettled(
        f"the read models did not catch up within {patience:.0f} s: see "
        f"{settings.data_dir / 'logs'}"
    )


async def _nothing_waits(health: Health, settings: Settings) -> bool:
    """Whether intake took all that came; the embedded broker's word on its end may be short."""
    if not settings.broker_keeps:
        return True
    try:
        return not any((await asyncio.to_thread(health.untaken)).values())
    except KafkaError:
        return False


async def _lags(health: Health) -> list[Lag] | None:
    try:
        return await health.lags()
    except (RedisError, OSError):
        return None


async def summary(settings: Settings) -> dict[str, Any]:
    """Outcomes, lag in events, customers, and the digest of every projection.

    Customers by tier, in the scheme that the bank began with, and in each.
    """
    store, journal = store_of(settings), journal_of(settings)
    seen = present_of(settings, journal)
    health = Health(
        journal,
        store,
        broker_of(settings),
        register_of(settings, store, journal),
        settings.lag_limit,
    )
    try:
        by_scheme = await _tiers(store, seen, settings.shards)
        found = await digests(seen.live, store, settings.shards)
        counts, lags = await health.counts(), await health.lags()
    finally:
        await store.close()
    tiers = by_scheme[seen.rules.first]
    outcomes = {name: getattr(counts, name) for name in counts.__slots__}
    return {
        **outcomes,
        "balanced": counts.balanced(),
        "lag": sum(lag.behind for lag in lags),
        "customers": tiers.total(),
        "tiers": dict(tiers.most_common()),
        "schemes": {name: dict(each.most_common()) for name, each in by_scheme.items()},
        "digests": found,
    }


async def some_customers(settings: Settings, names: Sequence[str]) -> list[dict[str, Any]]:
    """A few customers in short: tier, watch list, last month's measure."""
    store = store_of(settings)
    lookups = Lookups(store, register_of(settings, store, journal_of(settings)), settings.shards)
    try:
        today = datetime.now(ZoneInfo(settings.timezone)).date()
        found = [
            (name, who.on(today))
            for name in names
            if (who := await lookups.customer(name)) is not None
        ]
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
    ]


async def _tiers(store: RedisStore, seen: Present, shards: int) -> dict[str, Counter[str]]:
    """By scheme, how many customers stand in each tier."""
    customers = seen.of(CUSTOMERS.name)
    found = {scheme: Counter[str]() for scheme in seen.rules.policies}
    for shard in range(shards):
        streams = {
            stream
            async for some in store.streams(GroupShard(shard, customers.name))
            for stream in some
        }
        for tiers, standings in zip(found.values(), seen.all_of(STANDINGS), strict=True):
            [part] = standings.parts
            kept = await store.load(
                GroupShard(shard, standings.name),
                [(part.key, stream) for stream in sorted(streams)],
            )
            tiers.update(
                part.decode(one.state).tier or "unassessed" if one else "unassessed" for one in kept
            )
    return found
