"""How fast is the whole path?

Events a second from a file to readable states, and the time from produce to readable.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from deploy.bench.parts import REPEATS, Figure, settings_in
from deploy.embedded.supervisor import running
from deploy.operations.feed import feed_all
from deploy.operations.summary import wait_until_ready, wait_until_settled
from deploy.settings import Settings
from deploy.wiring import store_of
from domain.accounts.events import TransactionPosted
from domain.customers.events import ChannelVisited
from domain.envelope import Proposed
from projections.customers.group import CUSTOMERS
from projections.customers.profile import PROFILE
from projections.redis import RedisStore
from projections.store import GroupShard
from streams.broker.kafka import INTERACTIONS, Broker, KafkaConsumer, KafkaProducer, TopicPartition
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write

SETTLED = 20.0
"""Seconds after its start in which a stack has loaded all that it needs."""
RATE = 1_000
SECONDS = 12
PROBE_EVERY = 50
KNOWN = 5_000


def end_to_end(
    events: dict[int, list[bytes]], ceilings: dict[str, float], peers: dict[str, float]
) -> Figure:
    """Fed from memory through the front door, journalled, folded by Faust agents, in Redis.

    Events a second.
    """
    raws, rates = in_turn(events), []
    for _ in range(REPEATS):
        with stack() as settings:
            started_at = time.perf_counter()
            feed_all(settings, raws, lambda _count: None)
            asyncio.run(wait_until_settled(settings))
            rates.append(len(raws) / (time.perf_counter() - started_at))
    return Figure("end_to_end", statistics.median(rates), "events/s", ceilings, peers)


def latency() -> list[Figure]:
    """At 1,000 events a second, one event a message.

    From produce to readable in Redis, in milliseconds.
    """
    with stack() as settings:
        time.sleep(SETTLED)
        asyncio.run(_load(settings, 2))
        waits = sorted(asyncio.run(_load(settings, SECONDS)))
        reads = sorted(asyncio.run(_bare_reads(settings)))
        trips = sorted(_bare_round_trips(settings))
    return [
        Figure(
            name,
            at(waits, share),
            "ms",
            {"bare Redis read": at(reads, share), "bare broker round trip": at(trips, share)},
        )
        for name, share in (("latency_p50_ms", 0.5), ("latency_p99_ms", 0.99))
    ]


@contextmanager
def stack() -> Iterator[Settings]:
    """An embedded stack of its own that is ready."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with running(settings):
            asyncio.run(wait_until_ready(settings))
            yield settings


def in_turn(events: dict[int, list[bytes]]) -> list[bytes]:
    """An event of each shard after the other, so that all shards are fed at once."""
    return [raw for each in zip_longest(*events.values()) for raw in each if raw]


def at(values: list[float], share: float) -> float:
    """What a share of the sorted values stays below."""
    return round(values[min(len(values) - 1, int(len(values) * share))], 2)


async def _load(settings: Settings, seconds: int) -> list[float]:
    """Produce at the rate; every fiftieth event is of a new customer, and is waited for.

    Milliseconds.
    """
    producer, store = Broker(settings.broker).producer(), store_of(settings)
    probes: list[asyncio.Task[float]] = []
    begun = time.perf_counter()
    for number in range(RATE * seconds):
        await asyncio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        probe = number % PROBE_EVERY == 0
        stream = f"customer:p{time.time_ns()}" if probe else f"customer:{number % KNOWN}"
        produced = time.perf_counter()
        produce(producer, stream, settings.shards)
        if probe:
            probes.append(
                asyncio.create_task(
                    _readable(
                        store,
                        GroupShard(shard_of(stream, settings.shards), CUSTOMERS.name),
                        stream,
                        produced,
                    )
                )
            )
    waits = await asyncio.gather(*probes)
    producer.close()
    await store.close()
    return list(waits)


def produce(producer: KafkaProducer, stream: str, shards: int) -> None:
    """One event of a stream, as core systems send it."""
    _, value = event_of(stream, f"{time.time_ns()}")
    producer.send(
        INTERACTIONS, key=stream.encode(), value=value, partition=shard_of(stream, shards)
    )


def event_of(stream: str, name: str) -> tuple[str, bytes]:
    """A payment by card, or a visit of a probe, as a CloudEvent named `b` and so on.

    With its stream.
    """
    now = datetime.now(UTC)
    data = TransactionPosted(
        transaction=name, account=f"a-{stream}", amount=-100, currency="CNY", kind="card"
    )
    return stream, write(
        Proposed(
            "bench",
            f"b{name}",
            stream,
            now,
            now.date(),
            data if "p" not in stream else ChannelVisited(channel="app"),
        )
    )


async def _readable(store: RedisStore, place: GroupShard, stream: str, produced: float) -> float:
    while (await store.load(place, [(PROFILE.key, stream)]))[0] is None:
        await asyncio.sleep(0.002)
    return (time.perf_counter() - produced) * 1000


async def _bare_reads(settings: Settings, count: int = 2_000) -> list[float]:
    store, place = store_of(settings), GroupShard(0, CUSTOMERS.name)

    async def read() -> None:
        await store.load(place, [(PROFILE.key, "customer:1")])

    found = []
    for _ in range(count):
        begun = time.perf_counter()
        await read()
        found.append((time.perf_counter() - begun) * 1000)
    await store.close()
    return found


def _bare_round_trips(settings: Settings, count: int = 200) -> list[float]:
    """Produce one message and consume it, with nothing between."""
    broker = Broker(settings.broker)
    producer, reader, place = broker.producer(), broker.consumer(), TopicPartition("round-trip", 0)
    broker.create_topics(1, names=[place.topic])
    reader.assign([place])
    reader.seek_to_beginning(place)
    found = [_timed(lambda: _trip(producer, reader, place)) for _ in range(count)]
    producer.close()
    reader.close()
    return found


def _trip(producer: KafkaProducer, reader: KafkaConsumer, place: TopicPartition) -> None:
    producer.send(place.topic, value=b"x", partition=0)
    while not reader.poll(timeout_ms=100):
        pass


def _timed(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000
