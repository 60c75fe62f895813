"""Each process may do what it is there for and nothing else.

PostgreSQL and Redis hold it, by the files that are shipped.
"""

import re
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from deploy.embedded import services as embedded
from domain.customers.events import CustomerOnboarded
from projections.redis import RedisStore, Room
from projections.store import NEVER, GroupShard, StoredState
from streams.journal import Arrival, Journal, LogOffset
from streams.keyring import Keyring, Unwrappable
from tests.conftest import NOON, free_port, master_in, proposed, settings_in, wait_for

DEPLOY = Path(__file__).parents[2] / "deploy"
LOGINS = {
    "an_intake": "tierfold_intake",
    "a_reader": "tierfold_reader",
    "an_operator": "tierfold_operator",
    "a_privacy_officer": "tierfold_privacy",
}
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of its own, whose tables its owner has made, with the roles that are shipped and a
    login in each.
    """
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE least")
    url = at(postgres_url, dbname="least")
    with psycopg.connect(url, autocommit=True) as owner:
        made = Journal(url, 2, Keyring(url, master_in(tmp_path_factory.mktemp("least"))))
        assert [shard.head() for shard in made] == [0, 0]
        assert made.keyring is not None
        made.keyring.counts()
        made.close()
        for file in ("roles.sql", "keys.sql", "roles.sql"):
            owner.execute((DEPLOY / "postgres" / file).read_text())
        for login, role in LOGINS.items():
            owner.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'x' IN ROLE {role}")
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE least WITH (FORCE)")
        for role in (*LOGINS, *LOGINS.values()):
            connection.execute(f"DROP ROLE {role}")


def at(url: str, **other: str) -> str:
    """The URL with something else in it."""
    said = {**conninfo_to_dict(url), **other}
    return (
        f"postgresql://{said['user']}:{said.get('password', '')}@/{said['dbname']}?host={said['host']}"  # noqa: E501
        + (f"&port={said['port']}" if "port" in said else "")
    )


def journal_as(url: str, login: str, folder: Path) -> Journal:
    """The journal and its keys, as one of the logins."""
    mine = at(url, user=login, password="x")
    return Journal(mine, 2, Keyring(mine, master_in(folder)))


def test_the_intake_adds_and_nobody_changes(database: str, tmp_path: Path) -> None:
    """Intake records and makes keys; it cannot change, remove or empty; nor can the owner."""
    journal = journal_as(database, "an_intake", tmp_path)
    journal[0].claim()
    event = proposed(CustomerOnboarded(name="a", source="branch"))
    assert (
        journal[0].record([Arrival(0, 0, b"", event)], LogOffset("log", 0), NOON).counts.recorded
        == 1
    )
    journal.close()
    tables = ("stored_events", "leaves", "blocks", "sources", "quarantine")
    immutable = [
        f"{verb} tierfold_0.{table}" for table in tables[:3] for verb in ("DELETE FROM", "TRUNCATE")
    ]
    changes = [
        *immutable,
        *(
            f"{verb} tierfold_0.{table}"
            for table in tables[3:]
            for verb in ("DELETE FROM", "TRUNCATE")
        ),
    ]
    changes += [
        "UPDATE tierfold_0.stored_events SET topic = 'x'",
        "UPDATE tierfold_0.leaves SET size = 9",
        "UPDATE keys SET wrapped = NULL",
        "DROP TABLE keys",
    ]
    for change in changes:
        with (
            psycopg.connect(at(database, user="an_intake", password="x")) as connection,
            pytest.raises(DENIED),
        ):
            connection.execute(change)
    for change in immutable:
        with (
            psycopg.connect(database) as owner,
            pytest.raises(psycopg.errors.RaiseException, match="immutable"),
        ):
            owner.execute(change)


def test_readers_read_and_write_nothing(database: str, tmp_path: Path) -> None:
    """Agents, lookups, guard and notary: the journal opens, and is read; what would write fails."""
    journal = journal_as(database, "a_reader", tmp_path)

    assert len(journal[0].stored(0, 10)) == 1
    assert journal[0].size() == 1
    with pytest.raises(Exception, match="permission denied"):
        Journal(journal.url, 2)[0].claim()
    with pytest.raises(Unwrappable, match="put back the one that wrapped it"):
        journal[0].claim()
    assert journal.keyring is not None
    with pytest.raises(DENIED):
        journal.keyring.get_or_create(["customer:new"])
    with pytest.raises(DENIED):
        journal.keyring.destroy(["customer:1"])
    journal.close()


def test_operators_and_privacy_officers_do_their_own_through_the_journal_and_no_more(
    database: str, tmp_path: Path
) -> None:
    """Quarantine is shown and noted as sent again.

    Keys are restricted, lifted, destroyed and wrapped anew; events stay as they are.
    """
    operator, officer = (
        journal_as(database, login, tmp_path) for login in ("an_operator", "a_privacy_officer")
    )
    assert operator.keyring is not None
    assert officer.keyring is not None

    assert operator[0].quarantined() == []
    operator[0].redriven(1, NOON)
    with (
        psycopg.connect(at(database, user="an_operator", password="x")) as connection,
        pytest.raises(DENIED),
    ):
        connection.execute("UPDATE tierfold_0.quarantine SET reason = 'x'")
    with pytest.raises(DENIED):
        operator.keyring.destroy(["customer:1"])
    assert len(officer[0].stored(0, 10)) == 1
    officer.keyring.restrict(["customer:2"])
    officer.keyring.lift(["customer:2"])
    assert not officer.keyring.destroy(["customer:2"]), (
        "only the owner can wipe what was overwritten, and it is told so"
    )
    assert officer.keyring.counts().destroyed == 1
    for table in ("stored_events", "quarantine", "sources"):
        with (
            psycopg.connect(at(database, user="a_privacy_officer", password="x")) as connection,
            pytest.raises(DENIED),
        ):
            connection.execute(f"DELETE FROM tierfold_0.{table}")
    operator.close()
    officer.close()


@pytest.fixture(scope="module")
def guarded_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis with the users that are shipped."""
    folder = tmp_path_factory.mktemp("acl")
    settings = settings_in(folder, redis=f"redis://127.0.0.1:{free_port()}/0")
    server = embedded.start(
        [
            *embedded.redis_command(settings, folder),
            "--aclfile",
            str(DEPLOY / "redis" / "users.acl"),
        ],
        folder / "redis.log",
    )
    wait_for(settings.redis.removeprefix("redis://").removesuffix("/0"), server)
    yield settings.redis
    server.kill()
    server.wait()


def store_as(url: str, user: str) -> RedisStore:
    """The read models, as one of the users."""
    return RedisStore(url.replace("redis://", f"redis://{user}:change-me-{user}@"))


async def test_agents_save_lookups_read_and_strangers_get_nowhere(guarded_redis: str) -> None:
    """Lookups read states and hold places with the caps.

    They cannot set a state, nor empty the store (that they can let one expire is said in SECURITY).
    """
    agents, web, guard = (store_as(guarded_redis, user) for user in ("agents", "web", "guard"))
    place, kept = GroupShard(0, "customers@1"), {("profile@1", "customer:1"): StoredState(1, b"{}")}

    moved = await agents.save(place, await agents.reached(place), 1, kept)
    assert moved == await web.reached(place)
    assert await web.load(place, [("profile@1", "customer:1")]) == [StoredState(1, b"{}")]
    assert await web.reserve(place, "customer:1", "d", "sms", 60, (), [Room(1, ("sms",))]) is None
    await web.release(place, "customer:1", "d", "sms")
    assert await guard.upto(place) == 1
    await guard.note("guard", b"{}")
    with pytest.raises(redis.exceptions.RedisError, match="run this command"):
        await web.save(place, moved, 2, kept)
    for user in (agents, web, guard):
        with pytest.raises(redis.exceptions.NoPermissionError):
            await user.clear()
        await user.close()
    for stranger in (guarded_redis, guarded_redis.replace("redis://", "redis://web:wrong@")):
        client = redis.Redis.from_url(stranger)
        with pytest.raises(redis.exceptions.AuthenticationError):
            client.get("tierfold:{0}:customers@1:upto")


async def test_what_is_due_is_kept_checked_and_forgotten_by_those_whose_task_it_is(
    guarded_redis: str,
) -> None:
    """Agents keep the index, the guard looks it up, privacy officers amend states with it."""
    agents, guard, officer = (
        store_as(guarded_redis, user) for user in ("agents", "guard", "privacy")
    )
    place, name = GroupShard(0, "reactions@4"), ("offers@4", "customer:1")
    moved = await agents.save(
        place, await agents.reached(place), 1, {name: StoredState(1, b"{}", 700_000)}
    )
    await agents.set_indexed(place, 1)
    assert moved is not None
    assert await agents.due(place, date.max) == ["customer:1"]
    assert await guard.is_indexed(place)
    assert await guard.due_of(place, [name]) == [700_000]
    assert await officer.amend(place, moved, {name: None})
    assert await officer.due_of(place, [name]) == [NEVER]
    assert await agents.due(place, date.max) == []
    assert not await guard.is_amended_for_keys()
    await officer.amend_for_keys()
    assert await guard.is_amended_for_keys()
    for user in (agents, guard, officer):
        await user.close()


def test_the_rules_for_kafka_are_a_script_that_can_be_read() -> None:
    """Every topic and group that it names is one of ours, and the shell takes it."""
    from streams.broker.kafka import GROUP, TOPICS

    file = DEPLOY / "kafka" / "acls.sh"
    named = set(re.findall(r"--topic (\S+)", file.read_text()))

    assert subprocess.run(["sh", "-n", str(file)], check=False).returncode == 0
    assert named == {*TOPICS}
    assert GROUP in file.read_text()
