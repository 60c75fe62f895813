"""What the README says of the components on one machine, as it stands there."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import pytest

from deploy.components.kafka import Kafka, cluster_of, jars
from deploy.components.together import Components, Missing
from tests.conftest import TIERFOLD, free_port, wait_until
from tests.real.conftest import TOOLS
from tests.test_pages import commands, page

pytestmark = pytest.mark.real

SECTION = page("operating").partition("## Everything on one machine")[2]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that every account may look into."""
    with tempfile.TemporaryDirectory(prefix="tierfold-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_every_command_does_what_is_promised(home: Path) -> None:
    """Components come up and are used by a shell that reads their settings.

    Then our processes run beside them, and all end when told.
    """
    first, *others = [command for command in commands(SECTION) if not command.startswith("make")]
    (home / ".components").mkdir()
    (home / ".components" / "tools").symlink_to(TOOLS.resolve())
    with (home / "log").open("wb") as log:
        up = subprocess.Popen(
            [*TIERFOLD, *shlex.split(first)[1:]], cwd=home, stdout=log, stderr=log
        )
    try:
        wait_until((home / ".components" / "operator.env").is_file)
        script = "; ".join(
            [
                "set -e",
                *(
                    command.replace(".venv/bin/tierfold", shlex.join(TIERFOLD))
                    for command in others
                ),
            ]
        )
        done = subprocess.run(["sh", "-c", script], cwd=home, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert (home / ".components" / "operator.env").stat().st_mode & 0o077 == 0
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=90) == 0, (home / "log").read_text()


def test_our_processes_run_beside_them_with_several_workers(home: Path) -> None:
    """`tierfold up` starts what is ours, two of a kind, and each has its share."""
    parts = Components(home / "components", TOOLS)
    parts.start()
    settings = {
        "TIERFOLD_DATA_DIR": str(home / "data"),
        "TIERFOLD_PORT": str(free_port()),
        "TIERFOLD_WORKERS": "2",
    }
    environment = {**os.environ, **parts.environment(), **settings}
    try:
        assert subprocess.run([*TIERFOLD, "topics"], env=environment, check=False).returncode == 0
        up = subprocess.Popen([*TIERFOLD, "up"], env=environment, stderr=subprocess.DEVNULL)
        wait_until(lambda: is_ready(settings["TIERFOLD_PORT"]))
        names = [line.split()[0] for line in (home / "data" / "pids").read_text().splitlines()]
        assert names == ["intake", "intake-2", "agents", "agents-2", "web", "guard", "notary"]
        up.terminate()
        assert up.wait(timeout=60) == 0
    finally:
        parts.stop()


def test_a_cluster_whose_name_begins_with_a_dash_starts(home: Path) -> None:
    """One folder in 64 gives such a name, which must not be taken for an option."""
    folder = next(
        folder
        for number in count()
        if cluster_of(folder := home.resolve() / f"kafka-{number}").startswith("-")
    )
    kafka = Kafka(folder, jars(TOOLS), [free_port(), free_port()], {})
    try:
        kafka.start()
        assert kafka.tool("kafka-topics.sh", "--list").strip() == ""
    finally:
        kafka.stop()


def test_several_who_want_kafka_at_once_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where none of it is on the machine: one fetches it, and the others wait."""
    monkeypatch.setenv("MAVEN_OPTS", f"-Dmaven.repo.local={tmp_path / 'repository'}")
    with ThreadPoolExecutor() as together:
        got = list(together.map(jars, [tmp_path / "tools"] * 3))
    assert {len(list(folder.glob("kafka-clients-*.jar"))) for folder in got} == {1}


def test_a_folder_stays_as_it_was_made(home: Path) -> None:
    """Asked for otherwise, nothing is started, and it is said why."""
    Components(home / "components", TOOLS)
    with pytest.raises(Missing, match="was made with 1 brokers, open"):
        Components(home / "components", TOOLS, 3, secure=True)


def is_ready(port: str) -> bool:
    """Whether the lookups are ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
