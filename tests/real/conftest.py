"""Apache Kafka, PostgreSQL and Redis as banks run them.

Where one of them is missing, tests fail: none is skipped.
"""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from deploy.components.postgres import ACCOUNT
from deploy.components.program import account
from deploy.components.together import Components, components
from deploy.settings import Settings
from streams.broker.kafka import Broker
from tests.conftest import Running, free_port

TOOLS = Path(__file__).parents[2] / ".components" / "tools"


class Real(Running):
    """Our processes beside real components, each watched by its supervisor."""

    def __init__(self, settings: Settings, parts: Components) -> None:
        super().__init__(settings)
        self.parts = parts

    def disturb(self, name: str) -> int:
        """Kill -9 of one of our processes or of a component; gives the process id that
        is no more.
        """
        [program] = [each for each in self.parts.programs if each.name == name] or [None]
        pid = program.pid if program else self.pids()[name]
        assert pid is not None
        if program:
            program.kill()
        else:
            self.kill(name)
        return pid


def write_slowly(
    into: IO[bytes],
    lines: Sequence[bytes],
    seconds: float = 2.5,
    disturbed: threading.Event | None = None,
) -> None:
    """Write lines over some seconds, so that there is time to disturb somebody meanwhile.

    The last tenth of them when that was done, however long it took; what is left then at once.
    """
    at_once = max(1, int(len(lines) / (seconds * 10)))
    with into:
        for place in range(0, len(lines), at_once):
            if disturbed is not None and place >= 0.9 * len(lines):
                disturbed.wait()
            into.write(b"\n".join(lines[place : place + at_once]) + b"\n")
            into.flush()
            if disturbed is None or not disturbed.is_set():
                time.sleep(0.1)


@contextmanager
def started(
    *, brokers: int = 1, secure: bool = False, disk: str | None = None
) -> Iterator[Components]:
    """Components of one's own.

    PostgreSQL has a disk of this size (as in `200m`) to itself, if one is said.

    Not in pytest's folder: its account may not look into that.
    """
    with tempfile.TemporaryDirectory(prefix="tierfold-") as home, ExitStack() as mounted:
        Path(home).chmod(0o711)
        if disk is not None:
            mounted.enter_context(_disk(Path(home) / "components" / "postgres" / "data", disk))
        with components(Path(home) / "components", TOOLS, brokers, secure=secure) as parts:
            yield parts


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[None]:
    """A small disk of PostgreSQL's account; only root can make one."""
    folder.mkdir(parents=True)
    owner = account(ACCOUNT)
    assert owner is not None, "only root can mount a small disk"
    options = f"size={size},mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def settings_beside(parts: Components, folder: Path, **chosen: object) -> Settings:
    """Settings of processes that find these components."""
    return parts.settings(data_dir=folder, port=free_port(), checkpoint_seconds=1, **chosen)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Callable[..., Real]]:
    """Starts components and a stack of one's own beside them, to be disturbed.

    Nobody starts components again where they are not `watched`.
    """
    with ExitStack() as open_:

        def start(
            brokers: int = 1,
            folder: str = "data",
            *,
            watched: bool = True,
            disk: str | None = None,
            **chosen: Any,
        ) -> Real:
            parts = open_.enter_context(started(brokers=brokers, disk=disk))
            settings = settings_beside(parts, tmp_path / folder, **chosen)
            Broker(settings.broker, settings.security).create_topics(
                settings.shards, min(brokers, 3)
            )
            running, stop = Real(settings, parts), threading.Event()
            if watched:
                watching = threading.Thread(target=parts.watch, args=(stop,))
                watching.start()
                open_.callback(watching.join)
                open_.callback(stop.set)
            open_.callback(running.kill_all)
            running.start()
            return running

        yield start
