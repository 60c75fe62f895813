"""A worker keeps its groups in step, and spares those to which nothing matters."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace

import pytest

from domain.cases.events import ComplaintOpened
from domain.envelope import Proposed
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.redis import RedisStore
from projections.registry import AGENTS, base_of
from projections.store import GroupShard
from replay.rebuild.digests import digests
from replay.rebuild.in_memory import rebuild
from streams.folds.active_groups import Register
from streams.folds.worker import GIVEN_WAY, HELD_BACK, FoldWorker, Live
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import NOON, proposed
from tests.streams.folds.test_shard_fold import DELIVERIES, recorded_batches

CASES_HERE = GroupShard(0, CASES.name)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisStore]:
    """An empty read-model store, as a worker has."""
    store = RedisStore(redis_url)
    await store.clear()
    yield store
    await store.close()


async def worker_of(
    journal: Journal,
    store: RedisStore,
    policy: TierPolicy,
    live: Live | None = None,
    *,
    in_step: bool = True,
) -> FoldWorker:
    """The customers' worker, with all its groups in step over an empty shard."""

    async def emit(_: Sequence[Proposed]) -> None:
        return None

    register = Register(store, journal, policy)
    worker = FoldWorker(AGENTS[CUSTOMERS.name], store, journal, emit, register, live)
    await worker.look_after([0])
    if in_step:
        await asyncio.gather(*worker._filling.values())
    return worker


async def until_filled(store: RedisStore, head: int) -> None:
    """Wait until the customers have come to a position."""
    while await store.upto(GroupShard(0, CUSTOMERS.name)) < head:  # noqa: ASYNC110 - it is another who moves it
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", DELIVERIES)
async def test_all_groups_end_where_the_journal_says(
    sqlite_journal: Journal, redis: RedisStore, bohai: TierPolicy, fault: str
) -> None:
    """Late, doubled or lost batches, some of which are held back."""
    worker = await worker_of(sqlite_journal, redis, bohai)
    for batch in DELIVERIES[fault](recorded_batches(sqlite_journal)):
        await worker.advance(0, batch)
    await asyncio.sleep(3 * HELD_BACK)

    groups = [
        group
        for group in Register(redis, sqlite_journal, bohai).last.carried
        if base_of(group) in AGENTS[CUSTOMERS.name]
    ]
    head = sqlite_journal[0].head()
    assert [await redis.upto(GroupShard(0, group.name)) for group in groups] == [head] * len(groups)
    assert await digests(groups, redis, 1) == await digests(
        groups, rebuild(groups, sqlite_journal, processes=1), 1
    )


async def test_what_does_not_matter_is_passed_a_little_later(
    sqlite_journal: Journal, redis: RedisStore, bohai: TierPolicy
) -> None:
    """Batches without complaints, nor the end of a day, move the customers at once, and the
    complaints together.
    """
    worker = await worker_of(sqlite_journal, redis, bohai)
    first, second = recorded_batches(sqlite_journal, 2)[:2]
    await worker.advance(0, first)
    await worker.advance(0, second)
    at_once = [await redis.upto(GroupShard(0, name)) for name in (CUSTOMERS.name, CASES.name)]
    await asyncio.sleep(3 * HELD_BACK)

    assert at_once == [second.upto, 0]
    assert await redis.upto(CASES_HERE) == second.upto


async def test_a_gap_behind_what_is_held_back_is_healed(
    sqlite_journal: Journal, redis: RedisStore, bohai: TierPolicy
) -> None:
    """A batch is lost between two, to neither of which anything matters."""
    worker = await worker_of(sqlite_journal, redis, bohai)
    first, _, third = recorded_batches(sqlite_journal)[:3]
    await worker.advance(0, first)
    await worker.advance(0, third)
    await asyncio.sleep(3 * HELD_BACK)

    assert await redis.upto(CASES_HERE) == third.upto


async def test_an_idle_shard_heals_once_in_a_while(
    sqlite_journal: Journal, redis: RedisStore, bohai: TierPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no batch brought is read from the journal, not before the shard was idle for long."""
    worker = await worker_of(sqlite_journal, redis, bohai)
    batches = recorded_batches(sqlite_journal)
    await worker.advance(0, batches[0])
    await worker.heal(0)
    soon = await redis.upto(GroupShard(0, CUSTOMERS.name))
    monkeypatch.setattr("streams.folds.worker.IDLE_AFTER", 0.0)
    await worker.heal(0)

    assert soon == batches[0].upto
    assert await redis.upto(GroupShard(0, CUSTOMERS.name)) == sqlite_journal[0].head()


async def test_a_shard_that_never_had_a_batch_heals_soon_and_then_more_seldom(
    sqlite_journal: Journal, redis: RedisStore, bohai: TierPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batches may have gone by before this worker was told of its shards."""
    worker, eighths = await worker_of(sqlite_journal, redis, bohai), 0
    monkeypatch.setattr(
        "streams.folds.worker.time", SimpleNamespace(monotonic=lambda: 100 + eighths / 8)
    )
    place, healed = GroupShard(0, CUSTOMERS.name), []
    sqlite_journal[0].claim()
    for eighths in range(60):
        event = proposed(
            ComplaintOpened(case=f"c{eighths}", text="slow", channel="call"), f"{eighths}"
        )
        arrival = Arrival(eighths, 0, b"", event)
        sqlite_journal[0].record([arrival], LogOffset("log", eighths), NOON)
        before = await redis.upto(place)
        await worker.heal(0)
        if await redis.upto(place) > before:
            healed.append(eighths)

    assert healed[:6] == [0, 2, 6, 14, 30, 54]


async def test_what_is_filled_gives_way_to_what_came_just_now_and_gets_on(
    sqlite_journal: Journal, redis: RedisStore, bohai: TierPolicy
) -> None:
    """While any group folds live, each piece of a filling waits, for a moment only."""
    recorded_batches(sqlite_journal)
    live, begun = Live(), time.monotonic()
    async with live:
        await worker_of(sqlite_journal, redis, bohai, live, in_step=False)
        await until_filled(redis, sqlite_journal[0].head())

    assert time.monotonic() - begun >= GIVEN_WAY
