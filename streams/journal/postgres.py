"""A shard in a PostgreSQL schema.

The library's recorder, our tables in its transaction, no change of what is written.
"""

import re
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresDatastore, PostgresProcessRecorder
from psycopg import Connection, RawCursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed

from streams.journal.tables import (
    CREATE,
    IMMUTABLE,
    Execute,
    Row,
    chunks,
    has_rows,
    write_beside,
    write_tree,
)

TRIGGERS = (
    "CREATE OR REPLACE FUNCTION {p}refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'events are immutable'; END $$",
    *(
        "CREATE OR REPLACE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {p}"
        + table
        + " FOR EACH STATEMENT EXECUTE FUNCTION {p}refuse_change()"
        for table in IMMUTABLE
    ),
)


INSERT = (
    "INSERT INTO {p}stored_events (originator_id, originator_version, topic, state)"
    " SELECT stream, version, topic, state FROM unnest(%b::text[], %b::bigint[], %b::text[], "
    "%b::bytea[])"
    " WITH ORDINALITY AS fresh (stream, version, topic, state, place) ORDER BY place RETURNING "
    "notification_id"
)
"""Columns in binary: the library's composite values as text take as long again."""

ASLEEP = 5.0
"""Seconds for which a transaction may be open with nothing asked of it.

Trap: an owner that is stopped or cut off in the middle of a commit keeps its row locked. Without
an end to that, whoever takes its shard over waits for ever.
"""


class PostgresShardRecorder(PostgresProcessRecorder):
    """The process recorder, with what a shard keeps beside its events; one schema per shard."""

    position, tracking = "notification_id", "notification_tracking"

    def __init__(self, datastore: PostgresDatastore) -> None:
        super().__init__(datastore)
        self.prefix = f"{datastore.schema}."
        ours = [
            statement.format(
                p=self.prefix, serial="BIGSERIAL PRIMARY KEY", blob="BYTEA", compact=""
            )
            for statement in CREATE
        ]
        triggers = [statement.format(p=self.prefix) for statement in TRIGGERS]
        self.sql_create_statements.extend(
            Composed([SQL(statement)]) for statement in [*ours, *triggers]
        )
        self.lock_table_statements = []  # the fence locks the owner's row: no two commits are ever open  # noqa: E501

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """All of a commit in one transaction.

        Trap: the library does this in a pipeline, which stops for ever where much is sent at once
        (300 kB in a thousand statements do); and it repeats it where the reply was lost. So there
        is no pipeline here, `executemany` is none either, and after a lost reply the shard is
        claimed again.
        """
        with self.datastore.get_connection() as conn, conn.transaction(), conn.cursor() as curs:
            execute, execute_many = (
                self._executor(conn),
                partial(_execute_many, self._executor(conn)),
            )
            write_beside(execute, execute_many, kwargs["beside"])
            self._insert_events(curs, stored_events, **kwargs)
            if not stored_events:
                return None
            curs.execute(
                INSERT.format(p=self.prefix),
                tuple(map(list, zip(*map(_columns, stored_events), strict=True))),
            )
            positions = [row["notification_id"] for row in curs.fetchall()]
            write_tree(execute, execute_many, kwargs["beside"], positions)
            return positions

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of one statement, in a transaction of its own."""
        with self.datastore.get_connection() as conn:
            return self._executor(conn)(sql, parameters)

    change = query

    def _executor(self, connection: Connection[Any]) -> Execute:
        """Trap: a usual cursor reads the text of each long statement again, for as long as the
        statement itself takes; a raw one sends it as it is.
        """

        def execute(sql: str, parameters: Sequence[Any]) -> list[Row]:
            with RawCursor(connection, row_factory=tuple_row) as curs:
                curs.execute(_numbered(sql.replace("{p}", self.prefix)), parameters)
                return curs.fetchall() if has_rows(sql) else []

        return execute


def _columns(event: StoredEvent) -> tuple[str, int, str, bytes]:
    return str(event.originator_id), event.originator_version, event.topic, event.state


def _numbered(sql: str) -> bytes:
    """Its parameters as the server names them: `($1, $2)` for `(%s, %s)`."""
    first, *others = sql.split("%s")
    numbers = count(1)
    return "".join([first, *(f"${next(numbers)}{text}" for text in others)]).encode()


def _execute_many(execute: Execute, sql: str, rows: Sequence[Row]) -> None:
    """One statement for some rows at once: what it says of one row's values it says of each."""
    begin, values, end = re.split(r"(\([%s, ]+\))", sql, maxsplit=1)
    for some in chunks(rows):
        execute(
            begin + ", ".join([values] * len(some)) + end, [value for row in some for value in row]
        )


def open_postgres(url: str, shard: int) -> PostgresShardRecorder:
    """The recorder of a shard in the database at `url`, made if it was not there, by whoever
    may make it.

    The library's database functions stay off: they skip the table lock, and readers then miss
    events.
    """
    schema = f"tierfold_{shard}"
    at = conninfo_to_dict(url)
    if unknown := sorted(at.keys() - {"dbname", "host", "port", "user", "password"}):
        raise ValueError(
            f"the journal's url says {', '.join(unknown)}: give such settings to libpq by its "
            "environment, as PGSSLMODE"
        )
    datastore = PostgresDatastore(
        dbname=str(at.get("dbname", "postgres")),
        host=str(at.get("host", "127.0.0.1")),
        port=str(at.get("port", 5432)),
        user=str(at.get("user", "postgres")),
        password=str(at.get("password", "")),
        pool_size=1,
        max_overflow=8,
        pre_ping=True,
        idle_in_transaction_session_timeout=ASLEEP,
        schema=schema,
        originator_id_type="text",
        enable_db_functions=False,
    )
    recorder = PostgresShardRecorder(datastore)
    with psycopg.connect(url, autocommit=True) as connection:
        if not _is_there(connection, schema):
            connection.execute(
                "SELECT pg_advisory_lock(hashtext('tierfold'))"
            )  # two who make the same at once hinder each other
            if not _is_there(connection, schema):
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                recorder.create_table()
    return recorder


def _is_there(connection: psycopg.Connection[Any], schema: str) -> bool:
    """Whether a shard has all its tables.

    The last thing that is made is a trigger on the last of them.
    """
    asked = (
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'no_change' AND tgrelid = "
        "to_regclass(%s))"
    )
    [found] = connection.execute(asked, (f"{schema}.{IMMUTABLE[-1]}",)).fetchone() or (False,)
    return bool(found)
