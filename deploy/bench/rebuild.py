"""How many raw events a second are folded anew into ledgers and tiers, on all cores?

Beside reading and decoding alone.
"""

import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.bench.parts import Figure, events_by_shard, median, settings_in, started
from deploy.embedded import services as embedded
from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.projection import Group
from projections.tiering.standing import standings
from replay.rebuild.in_memory import rebuild as fold_anew
from replay.rebuild.in_place import Refill
from replay.rebuild.workers import pool
from streams.ingest.cloudevents import read_event
from streams.journal import Arrival, Journal, LogOffset, Row
from streams.sources.synth import Bank

SHARDS = 2
BANK = Bank(customers=400, months=24, seed=1)
SIZES = (1_000_000, 5_000_000)
CHUNK_ROWS = 50_000


def rebuild() -> list[Figure]:
    """Profile, ledger, months and tier from raw events in SQLite: of a million events, and of five.

    Events a second.

    In memory, as `digest --rebuild` and `what-if --from-journal` do; and as new versions in Redis,
    as `replay rebuild` does: the facts, and then the tiers that follow from them.
    """
    groups = (
        CUSTOMERS,
        CASES,
        standings(
            "bench",
            read_policy(POLICIES / "tiers" / "bohai-retail.yaml"),
            CUSTOMERS.name,
            CASES.name,
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        rows = _rows(Path(name) / "one")
        journals = {size: _journal(Path(name) / str(size), rows, size) for size in SIZES}
        rates = {
            size: median(lambda at=at: at[1] / _seconds(lambda: fold_anew(groups, at[0])))  # type: ignore[misc]
            for size, at in journals.items()
        }
        journal, count = journals[SIZES[0]]
        facts, both = (
            median(lambda some=some: count / _filled(some, journal))  # type: ignore[misc]
            for some in (groups[:1], groups)
        )
        ceilings = {
            "reading the journal alone": median(
                lambda: count / _seconds(lambda: _on_all_cores(_read, journal))
            ),
            "reading and decoding it": median(
                lambda: count / _seconds(lambda: _on_all_cores(_decode, journal))
            ),
        }
        for each, _ in journals.values():
            each.close()
    one, five = (rates[size] for size in SIZES)
    return [
        Figure("rebuild", one, "events/s", ceilings),
        Figure("rebuild_five_million", five, "events/s", {"a million events": one}),
        Figure("rebuild_facts_into_redis", facts, "events/s", {"in memory, with tiers": one}),
        Figure("rebuild_into_redis", both, "events/s", {"in memory": one}),
    ]


def _filled(groups: Sequence[Group], journal: Journal) -> float:
    """Seconds in which processes of this machine fill new versions in a Redis server, one
    after the other.
    """
    with tempfile.TemporaryDirectory() as name:
        settings = settings_in(Path(name))
        with started(
            embedded.redis_command(settings, Path(name)),
            Path(name) / "redis.log",
            settings.redis.removeprefix("redis://").removesuffix("/0"),
        ):
            return _seconds(lambda: _fill(groups, journal, settings.redis_url))


def _fill(groups: Sequence[Group], journal: Journal, redis: str) -> None:
    for group in groups:
        refill = Refill(group, journal, redis, gc.disable)
        while not refill.done():
            pass
        refill.close()


def _rows(folder: Path) -> dict[int, list[Row]]:
    """The rows of a bank as intake records them."""
    journal = Journal(f"sqlite://{folder}", SHARDS)
    for shard, raws in events_by_shard(BANK, SHARDS).items():
        journal[shard].claim()
        for offset, start in enumerate(range(0, len(raws), 1_000)):
            arrivals = [
                Arrival(offset, item, raw, read_event(raw))
                for item, raw in enumerate(raws[start : start + 1_000])
            ]
            journal[shard].record(arrivals, LogOffset("bench", offset), datetime.now(UTC))
    found = {shard.number: shard.read(0, 10_000_000) for shard in journal}
    journal.close()
    return found


def _journal(folder: Path, rows: dict[int, list[Row]], size: int) -> tuple[Journal, int]:
    """A journal of at least so many events.

    The same bank as often as it takes, each time with customers of its own, in order of time.
    """
    copies = -(-size // sum(map(len, rows.values())))
    journal, count = Journal(f"sqlite://{folder}", SHARDS), 0
    for shard in journal:
        with sqlite3.connect(folder / f"shard-{shard.number}.db") as database:
            database.execute("PRAGMA synchronous = OFF")
            statement = (
                "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
                "VALUES (?, ?, ?, ?)"
            )
            count += database.executemany(statement, _copied(rows[shard.number], copies)).rowcount
    return journal, count


def _copied(rows: list[Row], copies: int) -> Iterator[tuple[str, int, str, bytes]]:
    versions: dict[str, int] = {}
    for row in rows:
        version = versions[row.stream] = versions.get(row.stream, 0) + 1
        if row.stream.startswith("shard:"):
            yield row.stream, version, row.event_type, row.state
            continue
        kind, _, name = row.stream.partition(":")
        for number in range(copies):
            stream = f"{kind}:{number}-{name}"
            yield (
                stream,
                version,
                row.event_type,
                row.state.replace(row.stream.encode(), stream.encode()),
            )


def _on_all_cores(look: Callable[[str, int], int], journal: Journal) -> None:
    with pool(len(journal)) as processes:
        for each in [processes.submit(look, journal.url, shard) for shard in range(len(journal))]:
            each.result()


def _read(url: str, shard: int) -> int:
    return sum(len(rows) for rows in _stretches(url, shard))


def _decode(url: str, shard: int) -> int:
    return sum(row.event().version for rows in _stretches(url, shard) for row in rows)


def _stretches(url: str, shard: int) -> Iterator[list[Row]]:
    after, opened = 0, Journal(url, SHARDS)[shard]
    while rows := opened.read(after, CHUNK_ROWS):
        yield rows
        after = rows[-1].position


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun
