"""What does a shard keep beside its events?

Source ids, counts, quarantine, its owner and the tree over its events, in the same transaction.

The statements are written once, with `%s` for a parameter and `{p}` for the schema's prefix; SQLite
and PostgreSQL agree on all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from streams.journal.outcomes import Counts

Row = tuple[Any, ...]
Execute = Callable[[str, Sequence[Any]], list[Row]]
"""Runs one statement and gives its rows, if it is one that has rows."""
ExecuteMany = Callable[[str, Sequence[Row]], None]
"""Runs one statement for each of many rows of parameters."""

CREATE = (
    "CREATE TABLE IF NOT EXISTS {p}made_with (only_row INTEGER PRIMARY KEY, shards BIGINT NOT "
    "NULL)",
    "CREATE TABLE IF NOT EXISTS {p}owner (only_row INTEGER PRIMARY KEY, epoch BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {p}sources (source_key {blob} PRIMARY KEY, content {blob} NOT "
    "NULL, stream TEXT NOT NULL, version BIGINT NOT NULL){compact}",
    "CREATE TABLE IF NOT EXISTS {p}counts (outcome TEXT PRIMARY KEY, total BIGINT NOT NULL)",
    (
        "CREATE TABLE IF NOT EXISTS {p}quarantine (number {serial}, log TEXT NOT NULL, log_offset "
        "BIGINT NOT NULL, item INTEGER NOT NULL,"
        " reason TEXT NOT NULL, field TEXT, original {blob} NOT NULL, sent_with TEXT, "
        "quarantined_at TEXT NOT NULL, redriven_at TEXT, subject TEXT)"
    ),
    "CREATE TABLE IF NOT EXISTS {p}leaves (size BIGINT PRIMARY KEY, first_position BIGINT NOT "
    "NULL UNIQUE, hashes {blob} NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {p}blocks (number BIGINT PRIMARY KEY, root {blob} NOT NULL)",
)
IMMUTABLE = ("stored_events", "leaves", "blocks")
"""Tables that are only appended to."""
MADE_WITH = "SELECT shards FROM {p}made_with"
MAKE_WITH = (
    "INSERT INTO {p}made_with VALUES (1, %s) ON CONFLICT (only_row) DO UPDATE SET shards = "
    "{p}made_with.shards RETURNING shards"
)
CLAIM = (
    "INSERT INTO {p}owner VALUES (1, 1) ON CONFLICT (only_row) DO UPDATE SET epoch = "
    "{p}owner.epoch + 1 RETURNING epoch"
)
FENCE = "UPDATE {p}owner SET epoch = epoch WHERE only_row = 1 AND epoch = %s RETURNING epoch"
COUNT = (
    "INSERT INTO {p}counts VALUES (%s, %s) ON CONFLICT (outcome) DO UPDATE SET total = "
    "{p}counts.total + excluded.total"
)
COUNTS = "SELECT outcome, total FROM {p}counts"
SOURCES = "INSERT INTO {p}sources VALUES (%s, %s, %s, %s)"
KNOWN = "SELECT source_key, content, stream, version FROM {p}sources WHERE source_key IN "
QUARANTINE = (
    "INSERT INTO {p}quarantine (log, log_offset, item, reason, field, original, sent_with, "
    "quarantined_at, subject) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
QUARANTINED = (
    "SELECT number, log, log_offset, item, reason, field, original, sent_with, quarantined_at, "
    "redriven_at, subject"
    " FROM {p}quarantine WHERE number > %s ORDER BY number LIMIT %s"
)
LAST_QUARANTINED = "SELECT MAX(number) AS last FROM {p}quarantine WHERE log <> %s"
LEAVES = "INSERT INTO {p}leaves VALUES (%s, %s, %s)"
BLOCKS = "INSERT INTO {p}blocks VALUES (%s, %s)"
REDRIVEN = "UPDATE {p}quarantine SET redriven_at = %s WHERE number = %s RETURNING number"

CHUNK_KEYS = 500


class Fenced(Exception):
    """Another intake has claimed this shard since; this one must stop writing to it."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What one commit writes beside its events, under the epoch in which the writer
    owns the shard.
    """

    epoch: int
    counts: Counts
    sources: Sequence[Row] = ()
    quarantined: Sequence[Row] = ()
    size: int = 0
    """Leaves of the tree, with those of this commit."""
    hashes: bytes = b""
    blocks: Sequence[Row] = ()


def has_rows(sql: str) -> bool:
    """Whether a statement gives rows back."""
    return sql.startswith("SELECT") or " RETURNING " in sql


def placeholders(count: int) -> str:
    """`(%s,%s)` for two values."""
    return f"({','.join(['%s'] * count)})"


def chunks(rows: Sequence[Any], size: int = CHUNK_KEYS) -> Iterator[Sequence[Any]]:
    """The rows, a few at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def write_tree(
    execute: Execute, execute_many: ExecuteMany, beside: Beside, positions: Sequence[int]
) -> None:
    """The leaves of the events of a commit, once their positions are known."""
    if not positions:
        return
    if positions[-1] - positions[0] != len(positions) - 1:
        raise RuntimeError(
            f"the events of one commit lie at {positions[0]} to {positions[-1]}, and are "
            f"{len(positions)}"
        )
    execute(LEAVES, (beside.size, positions[0], beside.hashes))
    execute_many(BLOCKS, beside.blocks)


def write_beside(execute: Execute, execute_many: ExecuteMany, beside: Beside) -> None:
    """Fence first, so that a stale owner writes nothing; then all that belongs to the commit."""
    if not execute(FENCE, (beside.epoch,)):
        raise Fenced(f"epoch {beside.epoch} is over: another intake owns this shard")
    execute_many(SOURCES, sorted(beside.sources))
    execute_many(QUARANTINE, beside.quarantined)
    execute_many(
        COUNT,
        [
            (outcome, total)
            for outcome in Counts.__slots__
            if (total := getattr(beside.counts, outcome))
        ],
    )
