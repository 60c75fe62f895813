"""What our packages really do, where we rely on having noticed."""

import inspect
from pathlib import Path

import faust
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteDatastore, SQLiteProcessRecorder
from faust.transport.drivers import aiokafka as driver
from kafka.record.util import calc_crc32c

from domain.tiering.policy import TierPolicy
from projections.redis import RedisStore
from streams.folds.active_groups import Register
from streams.folds.agents import FETCH_WAIT_MS, worker
from streams.ingest.signature import Vouching
from streams.journal import Journal


def test_tracking_refuses_an_offset_that_does_not_rise(tmp_path: Path) -> None:
    """The library itself fences a log that would go back."""
    recorder = SQLiteProcessRecorder(
        SQLiteDatastore(str(tmp_path / "a.db"), originator_id_type="text")
    )
    recorder.create_table()
    recorder.insert_events([StoredEvent("s", 1, "t", b"")], tracking=Tracking("log", 5))

    with pytest.raises(IntegrityError):
        recorder.insert_events([StoredEvent("s", 2, "t", b"")], tracking=Tracking("log", 5))


def test_postgres_runs_without_database_functions(journal: Journal) -> None:
    """With them the library skips the table lock, and readers miss events."""
    assert not getattr(journal[0]._recorder.datastore, "enable_db_functions", False)


async def test_faust_fixes_the_fetch_wait_and_we_set_it(
    sqlite_journal: Journal, bohai: TierPolicy, tmp_path: Path
) -> None:
    """1,500 ms would be the latency of an in-memory broker."""
    assert "fetch_max_wait_ms=1500" in inspect.getsource(driver.AIOKafkaConsumerThread)

    async def emit(_proposed: object) -> None:
        """Nothing follows."""

    store = RedisStore("redis://127.0.0.1:1/0")
    app = worker(
        "127.0.0.1:1",
        store,
        sqlite_journal,
        emit,
        Register(store, sqlite_journal, bohai),
        Vouching(bytes(32)),
        {},
        tmp_path,
    )
    thread = app.transport.Consumer._new_consumer_thread(app.consumer)

    assert isinstance(app, faust.App)
    assert thread._create_worker_consumer(app.transport)._fetch_max_wait_ms == FETCH_WAIT_MS


def test_checksums_are_not_computed_in_python() -> None:
    """Without its C library kafka-python spends most of its time on CRC-32C."""
    assert inspect.getmodule(calc_crc32c.__defaults__[0]).__name__.startswith("crc32c")
