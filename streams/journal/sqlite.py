"""A shard in a SQLite file.

The library's recorder, our tables in its transaction, and no change of what is written.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteProcessRecorder

from streams.journal.tables import (
    CREATE,
    IMMUTABLE,
    Execute,
    Row,
    has_rows,
    write_beside,
    write_tree,
)

TRIGGERS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN "
    "SELECT RAISE(ABORT, 'events are immutable'); END"
    for table in IMMUTABLE
    for verb in ("UPDATE", "DELETE")
)


class SQLiteShardRecorder(SQLiteProcessRecorder):
    """The process recorder, with what a shard keeps beside its events."""

    position, tracking = "rowid", "tracking"

    def construct_create_table_statements(self) -> list[str]:
        """The library's tables, then ours, then the triggers that keep events as they are."""
        ours = [
            statement.format(
                p="",
                serial="INTEGER PRIMARY KEY AUTOINCREMENT",
                blob="BLOB",
                compact=" WITHOUT ROWID",
            )
            for statement in CREATE
        ]
        return [*super().construct_create_table_statements(), *ours, *TRIGGERS]

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """As the library's, but in one call to SQLite.

        Within a transaction new row ids follow on the largest.
        """

        def execute_many(sql: str, rows: Sequence[Row]) -> None:
            c.executemany(_dialect(sql), rows)

        execute = _executor(c)
        write_beside(execute, execute_many, kwargs["beside"])
        last = self._max_notification_id(c) or 0
        c.executemany(
            self.insert_events_statement,
            [(s.originator_id, s.originator_version, s.topic, s.state) for s in stored_events],
        )
        positions = range(last + 1, last + 1 + len(stored_events))
        write_tree(execute, execute_many, kwargs["beside"], positions)
        self._insert_tracking(c, kwargs["tracking"])
        return positions

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of one statement, which sees the file as it is at one moment.

        Trap: in the library's transaction a look at one number takes twice as long.
        """
        with self.datastore.get_connection(commit=False) as connection:
            c = connection.cursor()
            with c:
                return _executor(c)(sql, parameters)

    def change(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of one statement that changes our own tables, in a transaction of its own."""
        with self.datastore.transaction(commit=True) as c:
            return _executor(c)(sql, parameters)


def _executor(c: SQLiteCursor) -> Execute:
    c.sqlite_cursor.row_factory = (
        None  # plain tuples: the library's rows take as long again as reading does
    )

    def execute(sql: str, parameters: Sequence[Any]) -> list[Row]:
        c.execute(_dialect(sql), parameters)
        return list(c.fetchall()) if has_rows(sql) else []

    return execute


def _dialect(sql: str) -> str:
    return sql.replace("{p}", "").replace("%s", "?")


def open_sqlite(folder: Path, shard: int) -> SQLiteShardRecorder:
    """The recorder of a shard in `folder`, made if it was not there."""
    folder.mkdir(parents=True, exist_ok=True)
    datastore = SQLiteDatastore(
        str(folder / f"shard-{shard}.db"), lock_timeout=30, originator_id_type="text"
    )
    recorder = SQLiteShardRecorder(datastore)
    recorder.create_table()
    return recorder
