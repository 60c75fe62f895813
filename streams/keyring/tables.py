"""Where are the keys?

In a database of their own, SQLite or PostgreSQL; both agree on all statements.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CREATE = (
    "CREATE TABLE IF NOT EXISTS keys (subject TEXT PRIMARY KEY, wrapped {blob}, master TEXT, "
    "made_at TEXT NOT NULL, destroyed_at TEXT)",
    "CREATE TABLE IF NOT EXISTS restricted (subject TEXT PRIMARY KEY, restricted_at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS changes (only_row INTEGER PRIMARY KEY, count BIGINT NOT NULL)",
    "INSERT INTO changes VALUES (1, 0) ON CONFLICT (only_row) DO NOTHING",
)
FIND = (
    "SELECT keys.subject, wrapped, restricted_at"
    " FROM keys LEFT JOIN restricted ON restricted.subject = keys.subject WHERE keys.subject IN "
)
DESTROYED = "SELECT subject FROM keys WHERE destroyed_at IS NOT NULL AND subject IN "
RESTRICT = "INSERT INTO restricted VALUES (%s, %s) ON CONFLICT (subject) DO NOTHING"
LIFT = "DELETE FROM restricted WHERE subject = %s"
MAKE = (
    "INSERT INTO keys (subject, wrapped, master, made_at) SELECT %s, %s, %s, %s"
    " WHERE (SELECT count FROM changes WHERE only_row = 1) = %s ON CONFLICT (subject) DO NOTHING"
)
"""Unless something was changed that whoever makes the key has not heard of, as the master."""
DESTROY = (
    "INSERT INTO keys (subject, wrapped, master, made_at, destroyed_at) VALUES (%s, NULL, NULL, "
    "%s, %s)"
    " ON CONFLICT (subject) DO UPDATE SET wrapped = NULL, master = NULL, destroyed_at = "
    "COALESCE(keys.destroyed_at, excluded.destroyed_at)"
)
CHANGED = "UPDATE changes SET count = count + 1 WHERE only_row = 1"
CHANGES = "SELECT count FROM changes WHERE only_row = 1"
OF_OTHERS = (
    "SELECT subject, wrapped FROM keys WHERE master IS NOT NULL AND master <> %s ORDER BY subject "
    "LIMIT %s"
)
REWRAP = "UPDATE keys SET wrapped = %s, master = %s WHERE subject = %s AND wrapped IS NOT NULL"
ANY = "SELECT 1 FROM keys LIMIT 1"
ANY_DESTROYED = "SELECT 1 FROM keys WHERE destroyed_at IS NOT NULL LIMIT 1"
FILE = "SELECT pg_relation_filenode('keys')"
COUNTS = "SELECT COUNT(wrapped), COUNT(destroyed_at), (SELECT COUNT(*) FROM restricted) FROM keys"

Row = tuple[Any, ...]
LOCKED = 30.0
"""Seconds for which others may keep the database locked."""


def has_keys(url: str) -> bool:
    """Whether there is a database of keys with any in it; makes none."""
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite://")).exists():
        return False
    tables = Tables(url)
    try:
        return bool(tables.query(ANY))
    finally:
        tables.close()


class Tables:
    """A connection, for one thread at a time; opened at its first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: Any = None
        self._lite = url.startswith("sqlite")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement that changes nothing."""
        with self._transaction() as execute:
            return list(execute(sql, parameters).fetchall())

    def change(self, *statements: tuple[str, Sequence[Sequence[Any]]]) -> None:
        """Run statements, each for some rows of parameters, in one transaction."""
        with self._transaction() as execute:
            for sql, rows in statements:
                for row in rows:
                    execute(sql, row)

    def wipe(self) -> bool:
        """Let nothing of what was overwritten be left in the database's files.

        False where that is for the owner of the table to do.

        Trap: SQLite's log keeps pages as they were, PostgreSQL's table the rows; and PostgreSQL
        only warns whoever may not.
        """
        with self._lock:
            connection = self._connected()
            if self._lite:
                [(busy, *_)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return not busy
            before = connection.execute(FILE).fetchone()
            connection.commit()
            connection.autocommit = True
            connection.execute("VACUUM FULL keys")
            connection.autocommit = False
            after = connection.execute(FILE).fetchone()
            connection.commit()
            return bool(before != after)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._lock:
            connection = self._connected()
            try:
                yield lambda sql, parameters=(): connection.execute(
                    sql.replace("%s", "?") if self._lite else sql, parameters
                )
                connection.commit()
            except BaseException:
                self._connection = None
                connection.close()
                raise

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = (
                _open_sqlite(Path(self._url.removeprefix("sqlite://")))
                if self._lite
                else _open_postgres(self._url)
            )
            if (
                self._lite
                or not self._connection.execute("SELECT to_regclass('restricted')").fetchone()[0]
            ):
                for statement in CREATE:
                    self._connection.execute(
                        statement.format(blob="BLOB" if self._lite else "BYTEA")
                    )
            self._connection.commit()
        return self._connection


def _open_sqlite(file: Path) -> sqlite3.Connection:
    """Trap: what is deleted from a SQLite file is still in it until it is overwritten, unless
    `secure_delete` is on.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(file, timeout=LOCKED, check_same_thread=False)
    _write_ahead(connection)
    for pragma in ("secure_delete = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Trap: whoever changes the mode while another does is told at once that it is locked, however
    long it would wait.
    """
    deadline = time.monotonic() + LOCKED
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _open_postgres(url: str) -> Any:
    """A connection to a PostgreSQL database, whose library is loaded where there is one.

    Who falls asleep in a transaction loses the connection: nobody else is to wait for them.
    """
    import psycopg

    connection = psycopg.connect(url)
    connection.execute("SET idle_in_transaction_session_timeout = '5s'")
    connection.commit()
    return connection
