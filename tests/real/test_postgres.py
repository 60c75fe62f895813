"""What a database can do to the intake while a bank is fed.

Refuse, keep waiting, cut the line, lose its reply. Nothing lost, nothing twice.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from eventsourcing.persistence import OperationalError
from psycopg.conninfo import conninfo_to_dict

from deploy.wiring import journal_of
from domain.customers.events import ChannelVisited
from streams.broker.kafka import Broker
from streams.ingest.cloudevents import write
from streams.journal import Arrival, Journal, LogOffset
from streams.journal.postgres import ASLEEP
from tests.conftest import NOON, keyring_in, proposed, wait_until
from tests.real.conftest import Real, settings_beside, started

pytestmark = pytest.mark.real

REFUSALS = {
    "serialization failure": "40001",
    "deadlock": "40P01",
    "disk full": "53100",
    "too many connections": "53300",
    "read only": "25006",
    "crash": "57P02",
    "lock timeout": "55P03",
}
"""SQLSTATEs with which a database refuses a commit that is as good as any other (PostgreSQL's
documentation, appendix A).
"""
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()"
)
FED = 400
HELD = 3.0
"""Seconds for which a lock is held."""
FEWEST_CUTS = 3
"""Fast machines have fed all before so many connections were cut."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A stack beside a database that is disturbed; each test leaves both as they were."""
    with started() as parts:
        settings = settings_beside(parts, tmp_path_factory.mktemp("postgres") / "data")
        Broker(settings.broker).create_topics(settings.shards)
        stack = Real(settings, parts)
        stack.start()
        yield stack
        stack.kill_all()


@contextmanager
def refusing(url: str, code: str) -> Iterator[None]:
    """No commit passes, with this SQLSTATE, until this is over."""
    with psycopg.connect(url, autocommit=True) as owner:
        for shard in range(4):
            owner.execute(
                f"CREATE FUNCTION tierfold_{shard}.fault() RETURNS trigger LANGUAGE plpgsql AS $$ "
                "BEGIN"
                f" RAISE EXCEPTION 'a fault that was asked for' USING ERRCODE = '{code}'; END $$"
            )
            owner.execute(
                f"CREATE TRIGGER fault BEFORE INSERT ON tierfold_{shard}.sources EXECUTE FUNCTION "
                f"tierfold_{shard}.fault()"
            )
        try:
            yield
        finally:
            for shard in range(4):
                owner.execute(f"DROP FUNCTION tierfold_{shard}.fault() CASCADE")


@contextmanager
def locking(url: str) -> Iterator[None]:
    """Somebody holds the rows of all owners, without which no commit is made."""
    with psycopg.connect(url) as other:
        for shard in range(4):
            other.execute(f"SELECT * FROM tierfold_{shard}.owner FOR UPDATE")
        yield
        other.rollback()


def fed_while(running: Real, fault: Callable[[], None], name: str) -> list[str]:
    """Feed, and let a fault take its course; gives the ids that were fed."""
    names = [f"{name}-{number}" for number in range(FED)]
    events = b"\n".join(
        write(proposed(ChannelVisited(channel="app"), each, f"customer:{each}", source="fed"))
        for each in names
    )
    done = running.run("feed", "-", input=events)
    assert done.returncode == 0, done.stderr
    fault()
    return names


def recorded(running: Real, names: list[str]) -> Counter[str]:
    """How often each of these is in the journal, once it has settled."""
    journal, wanted, deadline = journal_of(running.settings), set(names), time.monotonic() + 60
    while True:
        found = Counter(
            event.id for shard in journal for event in shard.events(()) if event.id in wanted
        )
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refused_commits_are_made_once_the_database_takes_them(running: Real, refusal: str) -> None:
    """Each way in which it refuses.

    The intake gives up, begins anew and goes on behind what is tracked.
    """
    before = running.pids()["intake"]
    with refusing(running.settings.journal_url, REFUSALS[refusal]):
        names = fed_while(
            running,
            lambda: wait_until(lambda: running.pids()["intake"] != before),
            refusal.replace(" ", "-"),
        )

    assert recorded(running, names) == Counter(names)
    assert running.counts().balanced()


def test_a_lock_that_is_held_only_delays(running: Real) -> None:
    """While somebody holds it nothing is recorded, and nothing gives up; then everything is."""
    before, arrived = running.pids()["intake"], running.counts().arrived
    with locking(running.settings.journal_url):
        names = fed_while(running, lambda: time.sleep(HELD), "locked")
        assert running.counts().arrived == arrived

    assert recorded(running, names) == Counter(names)
    assert running.pids()["intake"] == before


def test_connections_that_are_cut_are_made_again(running: Real) -> None:
    """Every connection of everybody is terminated, again and again, while events come in."""
    stop, cut = threading.Event(), list[int]()
    cutting = threading.Thread(
        target=cut_again_and_again, args=(running.settings.journal_url, stop, cut)
    )
    cutting.start()
    try:
        names = []
        while len(cut) <= FEWEST_CUTS:
            names += fed_while(running, lambda: None, f"cut-{len(names)}")
    finally:
        stop.set()
        cutting.join()

    assert sum(cut) > len(cut) > FEWEST_CUTS
    assert recorded(running, names) == Counter(names)


def cut_again_and_again(url: str, stop: threading.Event, cut: list[int]) -> None:
    """Terminate the connections of all others twice a second, and note how many there were."""
    with psycopg.connect(url, autocommit=True) as owner:
        while not stop.wait(0.5):
            cut.append(len(owner.execute(CUT).fetchall()))


def test_after_all_of_it_states_are_what_the_journal_says(running: Real) -> None:
    """Live digests equal those folded anew, and nothing that was fed is there twice."""
    running.settle()
    fed = Counter(
        event.id
        for shard in journal_of(running.settings)
        for event in shard.events(())
        if event.source == "fed"
    )
    assert set(fed.values()) == {1}
    running.must_agree()


@dataclass
class LosingReplies:
    """A connection to a database on whose way back the reply to some commits is lost,
    with the line.

    Or it is held, `at` another reply, until the owner is awake.
    """

    host: str
    port: int
    lost: int = 0
    armed: bool = False
    at: bytes = b"COMMIT\x00"
    awake: threading.Event | None = None

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((self.host, self.port))
                threading.Thread(
                    target=self._carry, args=(client, server, False), daemon=True
                ).start()
                threading.Thread(
                    target=self._carry, args=(server, client, True), daemon=True
                ).start()

    def _carry(self, here: socket.socket, there: socket.socket, back: bool) -> None:
        with suppress(OSError), closing(here), closing(there):
            while said := here.recv(1 << 16):
                if back and self.armed and self.at in said:
                    self.armed = False
                    self.lost += 1
                    if self.awake is not None:
                        self.awake.wait()
                    for each in (here, there):
                        each.shutdown(socket.SHUT_RDWR)
                    return
                there.sendall(said)


@pytest.fixture
def losing(running: Real) -> Iterator[tuple[LosingReplies, str]]:
    """The way to the database on which replies may be lost, and the database's URL by that way."""
    at = conninfo_to_dict(running.settings.journal_url)
    way = LosingReplies(str(at["host"]), int(at["port"]))
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=way.serve, args=(listener,), daemon=True).start()
        with psycopg.connect(running.settings.journal_url, autocommit=True) as owner:
            owner.execute("DROP DATABASE IF EXISTS losing WITH (FORCE)")
            owner.execute("CREATE DATABASE losing")
        yield (
            way,
            f"postgresql://{at['user']}:{at['password']}@127.0.0.1:{listener.getsockname()[1]}/losing",
        )


def test_a_commit_whose_reply_is_lost_is_not_made_twice(
    losing: tuple[LosingReplies, str], tmp_path: Path
) -> None:
    """The line is cut between commit and reply.

    Whoever claims the shard again finds the events, and the offset with them.
    """
    way, url = losing
    journal = Journal(url, 1, keyring_in(tmp_path))
    shard, names = journal[0], [f"{number}" for number in range(10)]
    shard.claim()
    for offset in range(len(names)):
        way.armed = offset % 2 == 1
        with suppress(Exception):
            shard.record([visit(offset)], LogOffset("log", offset), NOON)
        if (
            way.lost * 2 > offset
        ):  # then as the intake does: claim again, go on behind what is tracked
            shard.claim()
            assert shard.tracked("log") == offset

    assert way.lost == len(names) // 2
    assert Counter(event.id for event in shard.events(())) == Counter(names)
    assert shard.counts().recorded == len(names)


def test_a_shard_of_which_the_owner_sleeps_in_a_commit_is_taken_over(
    losing: tuple[LosingReplies, str], tmp_path: Path
) -> None:
    """Whoever claims it waits for a few seconds, and the sleeper writes nothing any more."""
    way, url = losing
    owner, heir = (Journal(url, 1, keyring_in(tmp_path))[0] for _ in range(2))
    owner.claim()
    way.at, way.awake, way.armed = b"UPDATE 1\x00", threading.Event(), True
    with ThreadPoolExecutor() as threads:
        asleep = threads.submit(owner.record, [visit(0)], LogOffset("log", 0), NOON)
        wait_until(lambda: way.lost == 1)
        began = time.monotonic()
        claiming = threads.submit(heir.claim)
        done, _ = wait([claiming], 3 * ASLEEP)
        waited = time.monotonic() - began
        way.awake.set()
        assert done, "the heir still waits"
        with pytest.raises(OperationalError):
            asleep.result()

    assert waited > ASLEEP / 2, "the owner held nothing"
    heir.record([visit(1)], LogOffset("log", 1), NOON)
    assert [event.id for event in heir.events(())] == ["1"]


def visit(number: int) -> Arrival:
    """A visit that its source calls by this number, at this offset."""
    return Arrival(
        number,
        0,
        b"",
        proposed(ChannelVisited(channel="app"), f"{number}", f"customer:{number}"),
        None,
    )
