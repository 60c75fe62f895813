"""How does the embedded stack stay up?

One supervisor: it starts, watches, restarts, recycles and stops.
"""

import asyncio
import fcntl
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

import structlog

from deploy.active_groups import begun, begun_with, present_of
from deploy.embedded import children
from deploy.embedded import services as embedded
from deploy.embedded.children import Child
from deploy.embedded.tokens import write_tokens
from deploy.processes import LOG_BROKEN
from deploy.settings import Settings, as_environment
from deploy.terminal import UserError
from deploy.wiring import (
    broker_of,
    must_have_evidence,
    sink_of,
    store_of,
    subscribers_of,
    whole_journal,
)
from projections.redis import RedisError
from projections.store import GroupShard
from streams.broker.kafka import INTERACTIONS, KafkaError, TopicPartition

log = structlog.get_logger()

ON_THE_BROKER = ("intake", "agents")
"""What is restarted with the broker.

Its offsets begin anew, and a consumer that did not notice would skip. And what there can be several
of.
"""
ALONE = ("web", "guard", "notary")
OUTBOX = "outbox"
"""What is there where somebody subscribes."""
CONSOLE = "console"
"""What is there where readers log in by links of our own."""
PATIENT = ("broker", "intake", "agents", "notary")
"""What works behind the answers: on a small machine whoever waits for one goes first."""
RECYCLE = "recycle"
"""The file by which the supervisor is asked to start the broker anew."""
WATCH_EVERY = 0.2
MEMORY_EVERY = 5.0
A_LOOK = 0.3
"""Seconds for a message that the embedded broker has and does not count."""
PATIENCE = 30.0
STUCK = 30.0
"""Seconds in which agents neither fold nor work, after which they are stuck."""
WORKING = 0.02
"""The share of a core that whoever is slow uses at least, and whoever is stuck does not."""


class Worked(NamedTuple):
    """When agents were last seen to fold or to work, and the CPU seconds they had used."""

    at: float = 0.0
    used: float = 0.0


def starting(settings: Settings) -> str:
    """What is said while a stack starts."""
    console = "console, " if settings.has_console else ""
    return f"Starting broker, Redis, intake, agents, lookups, {console}guard and notary."


class CannotStart(UserError):
    """The stack cannot start; says what to do."""


class Stack:
    """Intake, agents, web, guard, notary and console as children of this process, with a broker and
    Redis unless they run elsewhere.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._logs = settings.data_dir / "logs"
        self._workers = [
            name if number == 1 else f"{name}-{number}"
            for name in ON_THE_BROKER
            for number in range(1, settings.workers + 1)
        ]
        self._children: dict[str, subprocess.Popen[bytes] | Child] = {}
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._lock: IO[str] | None = None
        self._worked = Worked()
        begun_with(settings)  # a file that cannot be used is said before anything starts
        begun(settings)
        self._alone: tuple[str, ...] = (*ALONE, *([CONSOLE] if settings.has_console else []))
        if settings.subscribers is not None:
            for each in subscribers_of(settings):
                sink_of(settings, each).close()
            self._alone = (*self._alone, OUTBOX)
        self._journal = whole_journal(settings)
        must_have_evidence(settings)

    def start(self) -> None:
        """Start everything, and give back when the topics are there. Raises `CannotStart`."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._take_folder()
        _must_be_free(f"{self._settings.host}:{self._settings.port}")
        if self._settings.has_console:
            _must_be_free(f"{self._settings.host}:{self._settings.console_port}")
        if self._settings.token_keys is None:
            write_tokens(self._settings)
        if self._settings.journal_url.startswith("sqlite"):
            self._make_tables()
        if self._settings.embedded:
            self._start_embedded()
        for name in (*self._workers, *self._alone):
            self._start(name)

    def watch(self, stop: threading.Event) -> None:
        """Restart what dies, recycle a broker that has grown, until told to stop."""
        memory_due = time.monotonic() + MEMORY_EVERY
        while not stop.wait(WATCH_EVERY):
            self._restart_the_dead()
            if self._settings.embedded:
                self._recycle_if_asked()
            if self._settings.embedded and time.monotonic() > memory_due:
                self._recycle_if_large()
                self._end_the_stuck()
                memory_due = time.monotonic() + MEMORY_EVERY

    def stop(self) -> None:
        """Stop all children, clients first."""
        for name in (*self._alone, *self._workers, "broker", "redis"):
            if child := self._children.pop(name, None):
                _end(child)
        if self._lock is not None:
            self._lock.close()

    def pids(self) -> dict[str, int]:
        """The process id of every child."""
        return {name: child.pid for name, child in self._children.items()}

    def recycle(self) -> None:
        """Start the broker anew, once all that it holds is journalled."""
        deadline = time.monotonic() + PATIENCE
        while self._unread() and time.monotonic() < deadline:
            time.sleep(0.05)
        log.info("broker_recycled", bytes=embedded.memory_of(self._children["broker"].pid))
        self._renew_broker()

    def _start(self, name: str) -> None:
        settings = self._settings
        commands = {
            "broker": lambda: embedded.broker_command(settings),
            "redis": lambda: embedded.redis_command(settings, settings.redis_dir),
        }
        kind = name.partition("-")[0]
        log_file, patient = self._logs / f"{name}.log", kind in PATIENT
        if name in commands:
            self._children[name] = embedded.start(commands[name](), log_file, patient=patient)
        else:
            self._children[name] = children.start(
                kind, log_file, _environment(settings), patient=patient
            )
        self._due[name] = time.monotonic()
        self._publish_pids()

    def _publish_pids(self) -> None:
        lines = "".join(f"{name} {pid}\n" for name, pid in self.pids().items())
        new = self._settings.data_dir / ".pids"
        new.write_text(lines, encoding="ascii")
        new.replace(self._settings.data_dir / "pids")

    def _make_tables(self) -> None:
        """Trap: processes that make the tables of one file at the same time fail."""
        for shard in self._journal:
            shard.head()
        if self._journal.keyring is not None:
            self._journal.keyring.counts()

    def _start_embedded(self) -> None:
        embedded.close_redis(self._settings)
        for address in (
            self._settings.broker,
            self._settings.redis.partition("//")[2].partition("/")[0],
        ):
            _must_be_free(address)
        self._start("redis")
        self._start_broker()

    def _start_broker(self) -> None:
        self._start("broker")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                _connect(self._settings.broker)
                return broker_of(self._settings).create_topics(self._settings.shards)
            except (KafkaError, OSError) as error:
                if time.monotonic() > deadline or self._children["broker"].poll() is not None:
                    raise CannotStart(
                        f"the broker does not answer at {self._settings.broker}: see "
                        f"{self._logs / 'broker.log'}"
                    ) from error
                time.sleep(0.05)

    def _restart_the_dead(self) -> None:
        dead = [name for name, child in self._children.items() if child.poll() is not None]
        for name in dead:
            if self._children[name].poll() is None:
                continue  # started again with the broker just now
            if time.monotonic() < self._due[name] + min(5.0, 0.2 * self._failures.get(name, 0)):
                continue
            self._failures[name] = self._failures.get(name, 0) + 1
            log.warning(
                "child_restarted",
                child=name,
                code=self._children[name].returncode,
                log=str(self._logs / f"{name}.log"),
            )
            if name == "broker" or (
                self._settings.embedded and self._children[name].returncode == LOG_BROKEN
            ):
                self._renew_broker()
            else:
                self._start(name)

    def _renew_broker(self) -> None:
        _end(self._children["broker"], signal.SIGKILL)  # asked to end, it waits 5 s for its clients
        for name in self._workers:
            _end(self._children[name], signal.SIGKILL)
        self._start_broker()
        for name in self._workers:
            self._start(name)

    def _recycle_if_large(self) -> None:
        if embedded.memory_of(self._children["broker"].pid) > self._settings.broker_memory_limit:
            self._recycled()

    def _recycle_if_asked(self) -> None:
        """Whoever wants nothing left in the broker of what is journalled leaves a file."""
        if (asked := self._settings.data_dir / RECYCLE).exists() and self._recycled():
            asked.unlink()

    def _recycled(self) -> bool:
        try:
            self.recycle()
        except (
            KafkaError,
            OSError,
        ) as error:  # it died of itself just now: then it is restarted as any child
            log.warning("recycling_put_off", error=type(error).__name__)
            return False
        return True

    def _end_the_stuck(self) -> None:
        """Kill agents that neither fold nor work; those that work are slow, and are left alone."""
        now, used = time.monotonic(), embedded.cpu_of(self._children["agents"].pid)
        works = used - self._worked.used > WORKING * MEMORY_EVERY
        if works or self._worked.at < self._due["agents"] or asyncio.run(self._anybody_folds()):
            self._worked = Worked(now, used)
        elif now - self._worked.at > STUCK:
            log.warning("agents_stuck", seconds=round(now - self._worked.at))
            self._children["agents"].send_signal(signal.SIGKILL)
        else:
            self._worked = self._worked._replace(used=used)

    async def _anybody_folds(self) -> bool:
        store = store_of(self._settings)
        try:
            seen = present_of(self._settings, self._journal).live
            return any(
                await store.alive(
                    [
                        GroupShard(shard, group.name)
                        for shard in range(self._settings.shards)
                        for group in seen
                    ]
                )
            )
        except RedisError:
            return True
        finally:
            await store.close()

    def _unread(self) -> bool:
        """Whether the broker holds messages that the journal has not tracked."""
        broker = broker_of(self._settings)
        logs = broker.logs()
        following = {number: self._journal[number].tracked(log) + 1 for number, log in logs.items()}
        return any(
            held.end > following[number] for number, held in broker.offsets(logs).items()
        ) or any(
            broker.holds(TopicPartition(INTERACTIONS, number), offset, A_LOOK)
            for number, offset in following.items()
        )

    def _take_folder(self) -> None:
        self._lock = (self._settings.data_dir / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(
                f"another stack is running in {self._settings.data_dir}: stop it, or choose "
                "another --data-dir"
            ) from error


def _environment(settings: Settings) -> dict[str, str]:
    """The settings, for a child process."""
    chosen = settings.model_dump(mode="json", exclude_none=True, exclude={"sasl_password"})
    chosen["data_dir"] = str(settings.data_dir.resolve())
    return as_environment(chosen)


def _must_be_free(address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deadline = time.monotonic() + 5.0
        while True:
            try:
                return probe.bind((host, int(port)))
            except OSError as error:
                if time.monotonic() > deadline:
                    raise CannotStart(
                        f"{address} is taken: stop what listens there, or choose another "
                        "(TIERFOLD_BROKER, TIERFOLD_REDIS, TIERFOLD_PORT, "
                        "TIERFOLD_CONSOLE_PORT)"
                    ) from error
                time.sleep(0.2)


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=1).close()


def _end(child: subprocess.Popen[bytes] | Child, how: int = signal.SIGTERM) -> None:
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def running(settings: Settings) -> Iterator[Stack]:
    """The embedded stack, started, and stopped at the end."""
    stack = Stack(settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
