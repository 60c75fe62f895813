"""What the lookups know is not older than it seems, and is asked for in time."""

import time
from typing import Any

import pytest
import redis

from domain.customers.events import CustomerOnboarded, IdentitiesMerged, IdentitiesUnmerged
from domain.event import Interaction
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS
from projections.redis import RedisStore
from streams.folds.active_groups import Register
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from streams.queries.lookups import Lookups
from tests.conftest import NOON, free_port, proposed

HELLO = CustomerOnboarded(source="branch")


async def folded(journal: Journal, store: RedisStore, *said: tuple[str, Interaction]) -> None:
    """What was said of some customers is recorded and folded."""
    shard = journal[0]
    shard.claim()
    offset = shard.tracked("log") + 1
    arrivals = [
        Arrival(offset, item, b"", proposed(data, f"{offset}-{item}", stream))
        for item, (stream, data) in enumerate(said)
    ]
    shard.record(arrivals, LogOffset("log", offset), NOON)
    await ShardFold(CUSTOMERS, 0, store, journal).catch_up()


@pytest.fixture
async def merged(sqlite_journal: Journal, redis_url: str, bohai: TierPolicy) -> Any:
    """Lookups of a bank in which two numbers are one person's."""
    store = RedisStore(redis_url)
    await store.clear()
    one, two = "customer:1", "customer:2"
    same = IdentitiesMerged(other=two, reason="one passport")
    await folded(sqlite_journal, store, (one, HELLO), (two, HELLO), (one, same))
    yield Lookups(store, Register(store, sqlite_journal, bohai), 1)
    await store.close()


async def test_the_other_numbers_are_asked_for_before_the_first_is_decoded(
    merged: Lookups, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis answers meanwhile; and from the second time all is asked for at once."""
    client, decode = redis.Redis.from_url(redis_url, protocol=2), merged._customer

    def reads() -> int:
        return int(client.info("commandstats")["cmdstat_mget"]["calls"])

    def decoded(*args: Any) -> Any:
        until = time.monotonic() + 0.5
        while reads() < before + wanted and time.monotonic() < until:
            time.sleep(0.005)
        asked.append(reads() - before)
        return decode(*args)

    monkeypatch.setattr(merged, "_customer", decoded)
    for wanted in (2, 1):
        asked, before = list[int](), reads()
        who = await merged.customer("1")
        assert who is not None
        assert who.numbers == ("customer:1", "customer:2")
        assert asked == [wanted, wanted]


async def test_a_number_that_is_one_person_again_is_asked_for_alone(
    merged: Lookups, sqlite_journal: Journal, redis_url: str
) -> None:
    """What is somebody else's is neither told nor remembered."""
    assert (await merged.customer("2")) is not None
    assert (await merged.customer("1")) is not None
    apart = IdentitiesUnmerged(other="customer:2", reason="two passports")
    store = RedisStore(redis_url)
    await folded(sqlite_journal, store, ("customer:1", apart))
    who = await merged.customer("1")
    await store.close()

    assert who is not None
    assert who.numbers == ()
    assert not any("customer:2" in numbers for numbers in merged._numbers.values())


@pytest.mark.parametrize("there", [True, False])
async def test_models_of_late_are_not_told_where_redis_does_not_answer(
    sqlite_journal: Journal, redis_url: str, bohai: TierPolicy, there: bool
) -> None:
    """None is said to have learnt nothing because nobody could look."""
    store = RedisStore(redis_url if there else f"redis://127.0.0.1:{free_port()}/0")
    lookups = Lookups(store, Register(store, sqlite_journal, bohai), 1)
    if there:
        await store.clear()
        found = await lookups.models_of_late(["a"])
        assert found["a"].ready is not None
    else:
        with pytest.raises(TimeoutError):
            await lookups.models_of_late(["a"])
    await store.close()
