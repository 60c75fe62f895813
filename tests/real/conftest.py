"""Apache Kafka, PostgreSQL and Redis as banks run them. Where one of them is missing, tests fail: none is skipped."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.components.together import Components, components
from deploy.settings import Settings
from streams.kafka import Broker
from tests.conftest import Running, free_port

TOOLS = Path(__file__).parents[2] / ".components" / "tools"


class Real(Running):
    """Our processes beside real components, each watched by its supervisor."""

    def __init__(self, settings: Settings, parts: Components) -> None:
        super().__init__(settings)
        self.parts = parts

    def disturb(self, name: str) -> int:
        """Kill -9 of one of our processes or of a component; gives the process id that is no more."""
        [program] = [each for each in self.parts.programs if each.name == name] or [None]
        pid = program.pid if program else self.pids()[name]
        assert pid is not None
        if program:
            program.kill()
        else:
            self.kill(name)
        return pid


@contextmanager
def started(*, brokers: int = 1, secure: bool = False) -> Iterator[Components]:
    """Components of one's own. Not in pytest's folder: PostgreSQL's account may not look into that."""
    with tempfile.TemporaryDirectory(prefix="tierfold-") as home:
        Path(home).chmod(0o711)
        with components(Path(home) / "components", TOOLS, brokers, secure=secure) as parts:
            yield parts


def settings_beside(parts: Components, folder: Path, **chosen: object) -> Settings:
    """Settings of processes that find these components."""
    return parts.settings(data_dir=folder, port=free_port(), checkpoint_seconds=1, **chosen)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Callable[..., Real]]:
    """Starts components and a stack of one's own beside them, to be disturbed; nobody starts components again where they are not `watched`."""
    with ExitStack() as open_:

        def start(brokers: int = 1, folder: str = "data", *, watched: bool = True, **chosen: Any) -> Real:
            parts = open_.enter_context(started(brokers=brokers))
            settings = settings_beside(parts, tmp_path / folder, **chosen)
            Broker(settings.broker, settings.security).create_topics(settings.shards, min(brokers, 3))
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
