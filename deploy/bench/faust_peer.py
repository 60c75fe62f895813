"""One Faust worker with one agent, that sums payments by customer.

As Faust's manual shows it, with a table, or with our own folding.

    python -m deploy.bench.faust_peer agent|table|folding BROKER TOPIC EVENTS BATCH RESULT

reads `EVENTS` events from a topic, `BATCH` in a message, and writes events a second and CPU
microseconds an event, from the first to the last, into `RESULT`.
"""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import faust
import msgspec

from deploy.processes import collect_seldom
from domain.accounts.events import TransactionPosted
from domain.envelope import Recorded
from domain.event_types import TYPE_BY_EVENT
from projections.projection import Group, Projection, Run
from projections.store import MemoryStore
from streams.broker.batch import decode_batch
from streams.folds.shard_fold import ShardFold
from streams.journal import Journal


class Amount(msgspec.Struct, gc=False):
    """What of a payment's data is summed."""

    amount: int


class Paid(msgspec.Struct, gc=False):
    """What of a payment's CloudEvent is summed, and by whom."""

    subject: str
    data: Amount


@dataclass(frozen=True)
class Sum:
    """What a customer paid."""

    count: int = 0
    total: int = 0


class Posted(msgspec.Struct, gc=False):
    """What of a recorded payment is summed."""

    data: Amount


class Sums(NamedTuple):
    """What the payments of a customer come to."""

    sum: Sum


def _sum(states: Sums, payments: Sequence[Posted]) -> Sums:
    before = states.sum
    return Sums(
        Sum(before.count + len(payments), before.total + sum(each.data.amount for each in payments))
    )


def _evolve(states: Sums, event: Recorded) -> Sums:
    raise NotImplementedError(
        f"there are only payments, and they are folded many at once, not {event.data}"
    )


SUMS = Group(
    "sums@1",
    ("customer",),
    Sums,
    (Projection("sum", 1, Sum(), lambda before, _event: before),),
    _evolve,
    runs={TYPE_BY_EVENT[TransactionPosted]: Run(Posted, _sum)},
)


def main(mode: str, broker: str, topic_name: str, events: int, at_once: int, result: Path) -> None:
    """Consume, write the result, and leave."""
    collect_seldom()
    home = tempfile.mkdtemp()
    os.chdir(home)
    app = faust.App(
        f"peer-{mode}-{os.getpid()}",
        broker=[f"kafka://{each}" for each in broker.split(",")],
        web_enabled=False,
        topic_partitions=1,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
        consumer_max_fetch_size=16 * 1024 * 1024,
        stream_wait_empty=False,
        datadir=home,
    )
    topic = app.topic(
        topic_name, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw"
    )
    fold = (
        _folding(home)
        if mode == "folding"
        else _summing(
            app.Table("sums", default=int, partitions=1) if mode == "table" else {}, at_once
        )
    )
    seen, first, worked = 0, 0.0, 0.0

    @app.agent(topic)
    async def agent(stream: Any) -> AsyncIterator[int]:
        nonlocal seen, first, worked
        async for value in stream:
            first, worked = first or time.perf_counter(), worked or time.process_time()
            seen += await fold(value)
            if seen >= events:
                rate = events / (time.perf_counter() - first)
                cost = (time.process_time() - worked) * 1e6 / events
                result.write_text(f"{rate:.0f} {cost:.3f}", encoding="ascii")
                os._exit(0)
            yield seen

    faust.Worker(app, loglevel="ERROR").execute_from_commandline()


def _summing(table: Any, at_once: int) -> Callable[[bytes], Awaitable[int]]:
    one, many = msgspec.json.Decoder(Paid).decode, msgspec.json.Decoder(list[Paid]).decode

    async def fold(value: bytes) -> int:
        payments = [one(value)] if at_once == 1 else many(value)
        for paid in payments:
            table[paid.subject] = table.get(paid.subject, 0) + paid.data.amount
        return len(payments)

    return fold


def _folding(home: str) -> Callable[[bytes], Awaitable[int]]:
    folding = ShardFold(SUMS, 0, MemoryStore(), Journal(f"sqlite://{home}/journal", 1))

    async def fold(value: bytes) -> int:
        return await folding.advance(decode_batch(value))

    return fold


if __name__ == "__main__":
    mode, broker, topic, events, at_once, result = sys.argv[1:]
    main(mode, broker, topic, int(events), int(at_once), Path(result))
