"""Not ready, and why: a dependency that is down, a lag that is high, nobody who folds."""

import socket
import time

from domain.customers.events import CustomerOnboarded
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS
from projections.redis import RedisStore
from projections.store import GroupShard, StoredState
from streams.broker.kafka import Broker
from streams.folds.active_groups import Register
from streams.journal import Arrival, Journal, LogOffset
from streams.queries.health import Health
from tests.conftest import NOON, free_port, proposed


def health(
    journal: Journal, redis: str, broker: str, policy: TierPolicy, lag_limit: int = 10
) -> Health:
    """Health of these dependencies."""
    store = RedisStore(redis)
    return Health(journal, store, Broker(broker), Register(store, journal, policy), lag_limit)


async def test_redis_down_is_said(
    sqlite_journal: Journal, broker_address: str, bohai: TierPolicy
) -> None:
    """The read models are the lookups' whole life."""
    assert await health(
        sqlite_journal, f"redis://127.0.0.1:{free_port()}/0", broker_address, bohai
    ).faults() == ["redis: ConnectionError"]


async def test_a_redis_that_hangs_is_said_within_two_seconds(
    sqlite_journal: Journal, broker_address: str, bohai: TierPolicy
) -> None:
    """It takes the connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
        begun = time.monotonic()
        faults = await health(sqlite_journal, url, broker_address, bohai).faults()

    assert faults == ["redis: does not answer"]
    assert time.monotonic() - begun < 2


async def test_broker_down_is_said(
    sqlite_journal: Journal, redis_url: str, bohai: TierPolicy
) -> None:
    """Nothing new would come."""
    faults = await health(sqlite_journal, redis_url, f"127.0.0.1:{free_port()}", bohai).faults()

    assert any(fault.startswith("broker: ") for fault in faults)


async def test_a_lag_beyond_the_limit_and_a_shard_that_nobody_folds_are_said(
    sqlite_journal: Journal, redis_url: str, broker_address: str, bohai: TierPolicy
) -> None:
    """Eleven events behind, ten allowed; and nobody at work."""
    await RedisStore(redis_url).clear()
    sqlite_journal[1].claim()
    events = [
        Arrival(0, number, b"", proposed(CustomerOnboarded(source="web"), str(number)))
        for number in range(11)
    ]
    sqlite_journal[1].record(events, LogOffset("log", 0), NOON)
    faults = await health(sqlite_journal, redis_url, broker_address, bohai).faults()

    assert f"lag: {CUSTOMERS.name} is 11 behind on shard 1" in faults
    assert f"agents: nobody folds {CUSTOMERS.name} on shard 0" in faults


async def test_read_models_that_were_emptied_are_said(
    sqlite_journal: Journal, redis_url: str, broker_address: str, bohai: TierPolicy
) -> None:
    """Within the lag that is allowed: nothing is folded, and something is recorded."""
    await RedisStore(redis_url).clear()
    sqlite_journal[0].claim()
    event = proposed(CustomerOnboarded(source="web"))
    sqlite_journal[0].record([Arrival(0, 0, b"", event)], LogOffset("log", 0), NOON)

    assert (
        f"read models: {CUSTOMERS.name} is empty on shard 0"
        in await health(sqlite_journal, redis_url, broker_address, bohai).faults()
    )


async def test_messages_that_nobody_takes_are_counted(
    sqlite_journal: Journal, redis_url: str, broker_address: str, bohai: TierPolicy
) -> None:
    """An intake that is gone is seen from outside."""
    broker = Broker(broker_address)
    broker.create_topics(2)
    producer = broker.producer()
    producer.send("interactions", value=b"x", partition=1).get(timeout=10)
    producer.close()
    metrics = (
        await health(sqlite_journal, redis_url, broker_address, bohai).metrics({}, {})
    ).decode()
    [waiting] = [
        line.split()[1]
        for line in metrics.splitlines()
        if line.startswith('tierfold_intake_waiting_messages{shard="1"}')
    ]

    assert float(waiting) >= 1


async def test_read_models_of_another_journal_are_noticed(
    sqlite_journal: Journal, redis_url: str, broker_address: str, bohai: TierPolicy
) -> None:
    """States that know of more than the journal has are not its states."""
    store = RedisStore(redis_url)
    await store.clear()
    place = GroupShard(0, CUSTOMERS.name)
    await store.save(
        place, await store.reached(place), 99, {("profile@1", "customer:1"): StoredState(99, b"{}")}
    )

    assert (
        f"read models: {CUSTOMERS.name} is ahead of the journal on shard 0"
        in await health(sqlite_journal, redis_url, broker_address, bohai).faults()
    )
