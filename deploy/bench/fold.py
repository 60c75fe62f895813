"""How many events a second does one worker fold, Redis writes included?

Beside decoding alone, and stock Faust agents.
"""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.bench.parts import Figure, keyring_in, median, settings_in, started
from deploy.bench.stock_faust import stock_faust
from deploy.embedded import services as embedded
from deploy.policy_files import read_policy
from deploy.settings import Settings
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.projection import Group
from projections.redis import RedisStore
from projections.store import MemoryStore, Store
from projections.tiering.standing import standings
from streams.broker.batch import Batch, batches, encode_batch, open_batch
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.ingest.cloudevents import read_event
from streams.journal import Arrival, Journal, LogOffset

BATCH_EVENTS = 1000


def fold(events: dict[int, list[bytes]]) -> Figure:
    """One worker, whose shards go on beside each other as its agents' do.

    Profile, ledger, months and tier together. Events a second.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        journal = Journal(f"sqlite://{folder}/journal", len(events), keyring_in(Path(folder)))
        messages = {shard: recorded(journal, shard, raws) for shard, raws in events.items()}
        count = sum(map(len, events.values()))
        groups = fold_groups(settings)
        address = settings.redis.removeprefix("redis://").removesuffix("/0")
        with started(
            embedded.redis_command(settings, Path(folder)), Path(folder) / "redis.log", address
        ):
            value = median(
                lambda: count / asyncio.run(_in_redis(settings, groups, journal, messages))
            )
        without = median(
            lambda: count / asyncio.run(folded(MemoryStore(), groups, journal, messages))
        )
        decoded = median(lambda: count / _decoded(journal, messages))
        peers = {name: peer.rate for name, peer in stock_faust().items()}
    return Figure(
        "fold",
        value,
        "events/s",
        {"without Redis": without, "opening and decoding alone": decoded},
        peers,
    )


def fold_groups(settings: Settings) -> tuple[Group, Group, Group]:
    """What is folded: the facts of customers, their complaints, and their standings under the
    shipped policy.
    """
    return (
        CUSTOMERS,
        CASES,
        standings("bench", read_policy(settings.policy), CUSTOMERS.name, CASES.name),
    )


def recorded(journal: Journal, shard: int, raws: list[bytes]) -> list[bytes]:
    """The messages that intake would publish for these events."""
    journal[shard].claim()
    found: list[bytes] = []
    for offset, start in enumerate(range(0, len(raws), BATCH_EVENTS)):
        arrivals = [
            Arrival(offset, item, raw, read_event(raw))
            for item, raw in enumerate(raws[start : start + BATCH_EVENTS])
        ]
        commit = journal[shard].record(arrivals, LogOffset("bench", offset), datetime.now(UTC))
        found += map(encode_batch, batches(commit.after, commit.rows))
    return found


async def _in_redis(
    settings: Settings,
    groups: tuple[Group, Group, Group],
    journal: Journal,
    messages: dict[int, list[bytes]],
) -> float:
    store = RedisStore(settings.redis)
    await store.clear()
    seconds = await folded(store, groups, journal, messages)
    await store.close()
    return seconds


async def folded(
    store: Store,
    groups: tuple[Group, Group, Group],
    journal: Journal,
    messages: dict[int, list[bytes]],
) -> float:
    """Fold these messages of each shard; gives the seconds that it took."""
    *sources, tiers = groups
    of = {
        shard: {group.name: ShardFold(group, shard, store, journal) for group in sources}
        for shard in messages
    }
    foldings = {
        shard: (*firsts.values(), DerivedFold(tiers, shard, store, journal, of=firsts))
        for shard, firsts in of.items()
    }

    async def follow(shard: int) -> None:
        for value in messages[shard]:
            batch = open_batch(journal[shard], value)
            for folding in foldings[shard]:
                await folding.advance(batch)

    started_at = time.perf_counter()
    await asyncio.gather(*map(follow, messages))
    return time.perf_counter() - started_at


def _decoded(journal: Journal, messages: dict[int, list[bytes]]) -> float:
    started_at = time.perf_counter()
    for shard, values in messages.items():
        for value in values:
            batch: Batch = open_batch(journal[shard], value)
            for row in batch.rows:
                row.event()
    return time.perf_counter() - started_at
