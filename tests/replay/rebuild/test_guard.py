"""A guard tells of states that are not as they were, and waits where they follow keys just now."""

import asyncio
import json
import time
from contextlib import suppress
from datetime import date

import pytest
import redis

from domain.customers.events import ChannelVisited
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS
from projections.redis import AMENDED_FOR_KEYS, RedisStore
from projections.store import GroupShard
from replay.rebuild import guard
from replay.rebuild.guard import Guard
from streams.folds.active_groups import Register
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from streams.queries.health import GUARD
from tests.conftest import NOON, proposed

PLACE = GroupShard(0, CUSTOMERS.name)


async def folded(store: RedisStore, journal: Journal) -> None:
    """A customer in the journal and in the read models."""
    await store.clear()
    journal[0].claim()
    visit = proposed(ChannelVisited(channel="app"), day=date(2026, 1, 3))
    journal[0].record([Arrival(0, 0, b"", visit)], LogOffset("log", 0), NOON)
    await ShardFold(CUSTOMERS, 0, store, journal).catch_up()


async def findings_said(store: RedisStore) -> dict[str, int]:
    """What the guard has found when it was round once."""
    deadline = time.monotonic() + 30
    while not (noted := json.loads(await store.noted(GUARD) or '{"rounds": 0}'))["rounds"]:
        assert time.monotonic() < deadline, noted
        await asyncio.sleep(0.05)
    return dict(noted["findings"])


@pytest.mark.parametrize(("comes_back", "findings"), [(True, {}), (False, {"state": 1})])
async def test_what_follows_keys_is_told_only_if_it_is_wrong_when_that_is_over(
    sqlite_journal: Journal,
    bohai: TierPolicy,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    comes_back: bool,
    findings: dict[str, int],
) -> None:
    """A state is gone, and comes back with what follows, or does not."""
    for name in ("SETTLING", "AT_LEAST", "TELL_EVERY"):
        monkeypatch.setattr(guard, name, 0.1)
    store = RedisStore(redis_url)
    await folded(store, sqlite_journal)
    names = [(part.key, "customer:1") for part in CUSTOMERS.parts]
    there = dict(zip(names, await store.load(PLACE, names), strict=True))
    assert await store.amend(PLACE, await store.reached(PLACE), dict.fromkeys(names))
    await store.amend_for_keys()
    going_round = asyncio.create_task(
        Guard(store, sqlite_journal, Register(store, sqlite_journal, bohai), 1.0).run()
    )
    await asyncio.sleep(2)
    meanwhile = json.loads(await store.noted(GUARD) or "{}")
    if comes_back:
        assert await store.amend(PLACE, await store.reached(PLACE), there)
    redis.Redis.from_url(redis_url).delete(AMENDED_FOR_KEYS)
    after = await findings_said(store)
    going_round.cancel()
    with suppress(asyncio.CancelledError):
        await going_round
    await store.close()

    assert (meanwhile["rounds"], meanwhile["findings"]) == (0, {})
    assert after == findings
