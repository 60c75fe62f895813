"""How do the supervisor's children start soon?

Forked from a server that has loaded what all of them need.

Loading a process's modules takes a second or two of a core. With a fork server that is paid once
for all of them, and a child that died is there again at once. Services of others (the broker,
Redis) are programs of their own.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from replay.rebuild.workers import die_with_parent

NICE = 10
ONE_PORT = "TIERFOLD_METRICS_PORT"
"""A port that several processes of one machine cannot share."""
PRELOADED = [
    "deploy.embedded.fork_server",
    "deploy.embedded.children",
    "deploy.cli.main",
    "deploy.processes",
    "deploy.active_groups",
    "deploy.observability.logs",
    "deploy.observability.spans",
    "projections.redis",
]
"""What every child needs."""
LOADED = {
    "intake": "streams.ingest.intake",
    "agents": "streams.folds.agents",
    "web": "streams.web.app",
    "guard": "replay.rebuild.guard",
    "notary": "replay.evidence.notary",
    "outbox": "streams.outbox.outbox",
    "console": "deploy.console.app",
}
"""What each of them needs beside that."""
_FORKS = sys.platform == "linux"
"""Elsewhere each child loads its modules itself."""


class Child:
    """A process of ours, as `subprocess.Popen` shows those of others."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self._process.name), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there: the server may have reaped it just now."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def prepare() -> None:
    """Let the server load its modules while this process does other things.

    Trap: it would look for them first in the folder that it is started in, where there may be
    others of the same name.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    if _FORKS:
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        forkserver.ensure_running()


def start(kind: str, log: Path, environment: dict[str, str], *, patient: bool) -> Child:
    """Start a process of ours, by the name of its command.

    It ends when this one does, however this one ends.

    Its output goes to a file. A `patient` one lets others go first where there are too few cores.
    """
    context: Any = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
    settings = {
        name: value for name, value in {**os.environ, **environment}.items() if name != ONE_PORT
    }
    process = context.Process(
        target=run, args=(kind, str(log), settings, patient, os.getpid()), name=kind, daemon=True
    )
    process.start()
    return Child(process)


def run(kind: str, log: str, environment: dict[str, str], patient: bool, supervisor: int) -> None:
    """Be a child: its own group, its own log, the supervisor's settings."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    multiprocessing.current_process().daemon = False  # it may have processes of its own
    begin(patient=False)
    _follow(supervisor)
    os.setpgid(0, 0)
    output = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["tierfold", kind]
    from deploy.processes import run as run_process
    from deploy.settings import Settings

    import_module(LOADED[kind])  # trap: one that lets others go first loads for half a minute
    if patient:
        os.nice(NICE)
    run_process(kind, Settings())


def begin(patient: bool) -> None:
    """Let others go first, if so; and end with the parent."""
    if patient:
        os.nice(NICE)
    die_with_parent()


def _follow(supervisor: int) -> None:
    """Trap: every child has the end of the pipe by which the server knows that somebody needs it,
    and would keep it alive behind the supervisor.
    """
    server: Any = forkserver._forkserver  # noqa: SLF001 - there is no public way
    if (alive := server._forkserver_alive_fd) is not None:  # noqa: SLF001
        os.close(alive)
        server._forkserver_alive_fd = None  # noqa: SLF001
    try:
        os.kill(supervisor, 0)
    except ProcessLookupError:
        os._exit(1)
