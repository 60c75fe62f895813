"""How many events a second does one process fold from Apache Kafka, Redis aside?

Our folding in Faust beside stock Faust, Quix Streams and Bytewax.

The same small fold of the same payments for all: what customers paid. Peers read them as core
systems write them, and keep sums in a dictionary; ours reads them as intake publishes them, not
sealed, and makes the states that it would save. With an event a message, and with a thousand; from
the first event to the last, without the time to start.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.bench.parts import REPEATS, Figure, median
from deploy.bench.stock_faust import peer_in
from deploy.components.kafka import Kafka, jars
from deploy.components.program import free_ports
from domain.accounts.events import TransactionPosted
from domain.envelope import Proposed
from streams.broker.batch import Batch, encode_batch
from streams.broker.kafka import Broker
from streams.ingest.cloudevents import write, write_batch
from streams.journal import Arrival, Journal, LogOffset, Row

PEERS = Path(__file__).parent / "peers"
PYTHON = Path(".peers/bin/python").absolute()
AT_HOME = {**os.environ, "PYTHONPATH": str(Path.cwd())}
"""Peers leave files where they run; ours is found all the same."""
TOOLS = Path(".components/tools")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CUSTOMERS = 500
DIFFERENT = 20_000
BATCH_EVENTS = 1_000
EVENTS = {1: 200_000, BATCH_EVENTS: 2_000_000}
"""Events of a run, by how many there are in a message."""
PATIENCE = 180.0


def live_fold() -> list[Figure]:
    """Events a second of our agents' folds, of all of a message and of one, and of their peers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kafka = Kafka(folder / "kafka", jars(TOOLS), free_ports(2), {})
        kafka.start()
        try:
            broker = Broker(kafka.servers)
            for at_once, events in EVENTS.items():
                _fill(broker, f"payments-{at_once}", _payments(events, at_once))
                _fill(
                    broker,
                    f"recorded-{at_once}",
                    _recorded(folder / f"journal-{at_once}", events, at_once),
                )
            return [_figure(kafka.servers, folder, at_once) for at_once in EVENTS]
        finally:
            kafka.stop()


def _figure(servers: str, folder: Path, at_once: int) -> Figure:
    payments = (servers, f"payments-{at_once}", f"{EVENTS[at_once]}", f"{at_once}")
    faust, pipelines = (
        [sys.executable, "-m", "deploy.bench.faust_peer"],
        [str(PYTHON), str(PEERS / "pipelines.py")],
    )
    ours = [*faust, "folding", servers, f"recorded-{at_once}", *payments[2:]]
    peers = {
        "stock Faust agent": [*faust, "agent", *payments],
        "Quix Streams": [*pipelines, "quix", *payments],
        "Bytewax": [*pipelines, "bytewax", *payments],
    }
    found = {
        name: median(lambda command=command: _rate(command, folder))  # type: ignore[misc]
        for name, command in peers.items()
    }
    name = "live_fold" if at_once > 1 else "live_fold_event_a_message"
    return Figure(name, median(lambda: _rate(ours, folder), REPEATS), "events/s", {}, found)


def _rate(command: Sequence[str], folder: Path) -> float:
    result = folder / "events_per_second"
    result.unlink(missing_ok=True)
    done = subprocess.run(
        [*command, str(result)],
        cwd=folder,
        env=AT_HOME,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    if not result.is_file():
        raise RuntimeError(
            f"{' '.join(command[:4])} gave no result: {done.stderr.decode(errors='replace')[-800:]}"
        )
    return peer_in(result).rate


def _fill(broker: Broker, topic: str, messages: Iterator[bytes]) -> None:
    broker.create_topics(1, names=[topic])
    producer = broker.producer()
    for message in messages:
        producer.send(topic, value=message, partition=0)
    producer.flush()
    producer.close()


def _payments(events: int, at_once: int) -> Iterator[bytes]:
    """Payments as core systems write them; a few thousand, again and again."""
    some = list(map(write, map(_payment, range(DIFFERENT))))
    for first in range(0, events, at_once):
        place = first % DIFFERENT
        yield some[place] if at_once == 1 else write_batch(some[place : place + at_once])


def _recorded(folder: Path, events: int, at_once: int) -> Iterator[bytes]:
    """The same payments as intake publishes them, not sealed."""
    rows = _rows(folder)
    for first in range(0, events, at_once):
        some = [
            rows[number % DIFFERENT]._replace(position=number + 1)
            for number in range(first, first + at_once)
        ]
        yield encode_batch(Batch(first, first + at_once, some))


def _rows(folder: Path) -> list[Row]:
    shard, found = Journal(f"sqlite://{folder}", 1)[0], list[Row]()
    shard.claim()
    for offset, first in enumerate(range(0, DIFFERENT, BATCH_EVENTS)):
        arrivals = [
            Arrival(offset, number, b"", _payment(number))
            for number in range(first, first + BATCH_EVENTS)
        ]
        found += shard.record(arrivals, LogOffset("bench", offset), NOON).rows
    shard.close()
    return found


def _payment(number: int) -> Proposed:
    data = TransactionPosted(
        transaction=f"{number}",
        account=f"a-{number % CUSTOMERS}",
        amount=1 + number % 997,
        currency="CNY",
        kind="card",
    )
    return Proposed("bench", f"{number}", f"customer:{number % CUSTOMERS}", NOON, NOON.date(), data)
