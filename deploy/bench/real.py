"""How fast does a bank come in on Apache Kafka, PostgreSQL and Redis, with keys and proofs, and all
of it on this machine?
"""

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from deploy.bench.ingest import fill, running_intake
from deploy.bench.live_fold import TOOLS
from deploy.bench.parts import REPEATS, Figure, free_port
from deploy.bench.path import at
from deploy.components.together import components
from deploy.embedded.supervisor import running
from deploy.operations.feed import feed_all
from deploy.operations.summary import wait_until_ready, wait_until_settled
from deploy.settings import Settings
from deploy.wiring import broker_of, journal_of
from streams.journal import Shard


def on_real_components(events: dict[int, list[bytes]]) -> list[Figure]:
    """Events a second into the journal by an intake alone, and from the feed into Redis by all
    processes; how long a commit takes, and how much disk.
    """
    alone, waits, sizes = zip(*(_intake_alone(events) for _ in range(REPEATS)), strict=True)
    whole = [_everything(events) for _ in range(REPEATS)]
    commits = sorted(wait for some in waits for wait in some)
    return [
        Figure("real_ingest", statistics.median(alone), "events/s"),
        Figure("real_append_p50_ms", at(commits, 0.5), "ms"),
        Figure("real_append_p99_ms", at(commits, 0.99), "ms"),
        Figure("real_disk_per_million", statistics.median(sizes) * 1e6 / 2**30, "GiB"),
        Figure(
            "real_end_to_end",
            statistics.median(whole),
            "events/s",
            {"ingest alone": statistics.median(alone)},
        ),
    ]


@contextmanager
def _started(shards: int) -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="tierfold-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's account has to find its own folder
        with components(folder / "components", TOOLS) as parts:
            settings = parts.settings(data_dir=folder / "data", port=free_port(), shards=shards)
            settings.data_dir.mkdir()
            broker_of(settings).create_topics(shards)
            yield settings


def _intake_alone(events: dict[int, list[bytes]]) -> tuple[float, list[float], float]:
    """Events a second, what each commit took, in milliseconds, and the bytes of tables and indexes
    for an event.
    """
    count, waits, record = sum(map(len, events.values())), list[float](), Shard.record

    def timed(shard: Shard, *given: Any) -> Any:
        begun = time.perf_counter()
        found = record(shard, *given)
        waits.append((time.perf_counter() - begun) * 1000)
        return found

    with _started(len(events)) as settings, patch.object(Shard, "record", timed):
        fill(broker_of(settings), events)
        journal, tables = (
            journal_of(settings),
            settings.data_dir.parent / "components" / "postgres" / "data" / "base",
        )
        before, begun = _size(tables), time.perf_counter()
        with running_intake(broker_of(settings), journal):
            while journal.counts().arrived < count:
                threading.Event().wait(0.2)
            seconds = time.perf_counter() - begun
        journal.close()
        return count / seconds, waits, (_size(tables) - before) / count


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _everything(events: dict[int, list[bytes]]) -> float:
    """Events a second, from the first that is fed until all are folded."""
    raws = [raw for some in events.values() for raw in some]
    with _started(len(events)) as settings, running(settings):
        asyncio.run(wait_until_ready(settings))
        begun, journal = time.perf_counter(), journal_of(settings)
        feed_all(settings, raws, lambda _count: None)
        while journal.counts().arrived < len(raws):
            time.sleep(0.05)
        asyncio.run(wait_until_settled(settings))
        return len(raws) / (time.perf_counter() - begun)
