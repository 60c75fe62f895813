"""How many events a second does intake take from the broker into the journal?

Beside bare appends and bare reads.
"""

import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteDatastore, SQLiteProcessRecorder

from deploy.bench.parts import Figure, keyring_in, median, settings_in, started
from deploy.embedded import services as embedded
from deploy.policy_files import read_arrivals, read_privacy
from deploy.settings import POLICIES
from streams.broker.kafka import INTERACTIONS, Broker, TopicPartition
from streams.ingest.cloudevents import BATCH, write_batch
from streams.ingest.intake import COMMIT_LIMIT, Intake
from streams.ingest.screening import Screen
from streams.ingest.signature import Vouching
from streams.journal import Journal
from streams.journal.merkle import Tree

IN_ONE_MESSAGE = 250


def ingest(events: dict[int, list[bytes]]) -> Figure:
    """Intake alone: the messages are there, and it takes them. Events a second."""
    stored = [raw for raws in events.values() for raw in raws]
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with started(
            embedded.broker_command(settings), Path(folder) / "broker.log", settings.broker
        ):
            broker = Broker(settings.broker)
            broker.create_topics(len(events))
            fill(broker, events)
            fresh = (f"{folder}/journal-{number}" for number in itertools.count())
            value = median(
                lambda: _by_intake(
                    broker,
                    Journal(
                        f"sqlite://{(at := next(fresh))}",
                        len(events),
                        keyring_in(Path(f"{at}-keys")),
                    ),
                    len(stored),
                )
            )
            unsealed = median(
                lambda: _by_intake(
                    broker, Journal(f"sqlite://{next(fresh)}", len(events)), len(stored)
                )
            )
            with _unproven():
                bare = median(
                    lambda: _by_intake(
                        broker, Journal(f"sqlite://{next(fresh)}", len(events)), len(stored)
                    )
                )
            read = median(lambda: _bare_reads(broker, events))
        appended = median(lambda: _bare_appends(next(fresh), stored))
    ceilings = {
        "without keys": unsealed,
        "without keys and proofs": bare,
        "bare recorder appends": appended,
        "bare consumer reads": read,
    }
    return Figure("ingest", value, "events/s", ceilings)


@contextmanager
def _unproven() -> Iterator[None]:
    """Nothing is hashed: neither trees nor chains."""
    with (
        patch("streams.journal.shard.leaf_hash", lambda _state: b""),
        patch.object(Tree, "append", lambda tree, _root: setattr(tree, "size", tree.size + 1)),
    ):
        yield


def fill(broker: Broker, events: dict[int, list[bytes]]) -> None:
    """Send a bank's events, many in a message, each to its shard."""
    producer = broker.producer()
    for shard, raws in events.items():
        for start in range(0, len(raws), IN_ONE_MESSAGE):
            value = write_batch(raws[start : start + IN_ONE_MESSAGE])
            producer.send(
                INTERACTIONS,
                value=value,
                partition=shard,
                headers=[("content-type", BATCH.encode())],
            )
    producer.flush()
    producer.close()


@contextmanager
def running_intake(broker: Broker, journal: Journal) -> Iterator[None]:
    """An intake in this process."""
    stop = threading.Event()
    screen = Screen(
        read_privacy(POLICIES / "privacy.yaml").refused,
        read_arrivals(POLICIES / "arrivals.yaml"),
    )
    intake = Intake(
        broker,
        journal,
        None,
        lambda: screen,
        Vouching(bytes(32)),
    )
    thread = threading.Thread(target=intake.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _by_intake(broker: Broker, journal: Journal, count: int) -> float:
    started_at = time.perf_counter()
    with running_intake(broker, journal):
        while journal.counts().arrived < count:
            time.sleep(0.01)
        seconds = time.perf_counter() - started_at
    return count / seconds


def _bare_appends(folder: str, stored: list[bytes]) -> float:
    """The library's own recorder, on the same bytes, in transactions as large as intake's."""
    Path(folder).mkdir()
    recorder = SQLiteProcessRecorder(
        SQLiteDatastore(f"{folder}/bare.db", originator_id_type="text")
    )
    recorder.create_table()
    rows = [
        StoredEvent(f"customer:{number % 1000}", number, "transaction-posted.v1", raw)
        for number, raw in enumerate(stored)
    ]
    started_at = time.perf_counter()
    for start in range(0, len(rows), COMMIT_LIMIT):
        recorder.insert_events(
            rows[start : start + COMMIT_LIMIT], tracking=Tracking("log", start + 1)
        )
    return len(rows) / (time.perf_counter() - started_at)


def _bare_reads(broker: Broker, events: dict[int, list[bytes]]) -> float:
    """A consumer that reads the same messages and looks at nothing."""
    reader, seen = broker.consumer(), 0
    places = [TopicPartition(INTERACTIONS, shard) for shard in events]
    reader.assign(places)
    reader.seek_to_beginning(*places)
    wanted = sum(-(-len(raws) // IN_ONE_MESSAGE) for raws in events.values())
    started_at = time.perf_counter()
    while seen < wanted:
        seen += sum(map(len, reader.poll(timeout_ms=100).values()))
    seconds = time.perf_counter() - started_at
    reader.close()
    return sum(map(len, events.values())) / seconds
