"""The database's disk is full while a bank is fed.

Nothing is recorded by halves, and all of it once there is room again.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.wiring import journal_of
from domain.customers.events import ChannelVisited
from streams.ingest.cloudevents import write
from tests.conftest import proposed, wait_until
from tests.real.conftest import Real

pytestmark = pytest.mark.real

DISK = "200m"
BALLAST = 200 << 20
FED = 10_000
FULL = "No space left on device"


def test_a_full_disk_only_delays(beside: Callable[..., Real]) -> None:
    """PostgreSQL says that it is full, and gives up or refuses.

    When there is room every event is there once, proven, and folded.
    """
    running = beside(disk=DISK)
    log = running.parts.postgres.program.log
    names = [f"{number}" for number in range(FED)]
    filled = _fill(log.parent / "data" / "ballast")
    fed = running.run(
        "feed",
        "-",
        input=b"\n".join(
            write(proposed(ChannelVisited(channel="app"), each, f"customer:{each}"))
            for each in names
        ),
    )
    assert fed.returncode == 0, fed.stderr
    wait_until(lambda: FULL in log.read_text())
    filled.unlink()

    wait_until(lambda: running.counts().recorded >= FED, 120)
    running.settle()
    assert Counter(
        event.id
        for shard in journal_of(running.settings)
        for event in shard.events(())
        if event.source == "test"
    ) == Counter(names)
    assert running.counts().balanced()
    running.must_agree()
    assert running.run("audit", "verify-journal").returncode == 0


def _fill(path: Path) -> Path:
    """A file that takes all the room there is."""
    with pytest.raises(OSError, match=FULL):
        path.write_bytes(bytes(BALLAST))
    return path
