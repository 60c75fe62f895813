"""A program of somebody else's as a child process: started, waited for, killed, started again."""

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.terminal import UserError
from replay.rebuild.workers import die_with_parent

PATIENCE = 90.0


class Missing(UserError):
    """A program that is needed is not on this machine, or does not start; says what to do."""


@dataclass
class Program:
    """One process that listens at `host:port`; `ready` says whether it also answers.

    `user` is whose rights it takes where we have those of root.
    """

    name: str
    command: Sequence[str]
    address: str
    log: Path
    ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    farewell: signal.Signals = signal.SIGTERM
    patience: float = 20.0
    """Seconds that it may take to end."""
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int | None:
        """The process id, None if it does not run."""
        return (
            self._process.pid
            if self._process is not None and self._process.poll() is None
            else None
        )

    def start(self) -> None:
        """Start it, without waiting."""
        mine = account(self.user)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                process_group=0,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call and nothing else between fork and exec
                user=mine.pw_uid if mine else None,
                group=mine.pw_gid if mine else None,
            )

    def wait(self, patience: float = PATIENCE) -> None:
        """Wait until it answers.

        Starts it again where it gave up, as a database does beside what its killed predecessor
        left. Raises `Missing`.
        """
        deadline = time.monotonic() + patience
        while not (self.pid is not None and listens(self.address) and self.ready()):
            if time.monotonic() > deadline:
                raise Missing(f"{self.name} does not answer at {self.address}: see {self.log}")
            if self.pid is None:
                time.sleep(0.3)
                self.start()
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill -9, and nothing after it."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def ask_to_stop(self) -> None:
        """Ask it to end, without waiting."""
        self._send(self.farewell)

    def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(timeout=self.patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def _send(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)


def account(user: str | None) -> pwd.struct_passwd | None:
    """As whom a program is started, None for ourselves: PostgreSQL refuses to run as root."""
    if user is None or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise Missing(
            f"there is no account {user}, and root may not run this: install the Debian package, "
            "or run as somebody else"
        ) from error


def listens(address: str) -> bool:
    """Whether anybody accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """So many ports of loopback that nobody listens on just now."""
    with ExitStack() as probes:
        bound = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in bound:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in bound]
