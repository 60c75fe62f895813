"""A stack starts from what is installed, tells its processes, and is ended whatever fails."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.embedded.services import memory_of
from tests.conftest import Running, settings_in, wait_until

INSTALLED = (str(Path(sys.executable).with_name("tierfold")),)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack that is started in a folder with packages of somebody else's, of our names."""
    folder, bank = (tmp_path_factory.mktemp(name) for name in ("theirs", "bank"))
    for name in ("deploy", "streams", "replay", "projections", "domain"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('theirs')", encoding="utf-8")
    with Running(settings_in(bank), INSTALLED, folder) as made:
        yield made


def test_packages_of_our_names_in_the_folder_are_not_run(elsewhere: Running) -> None:
    """Neither at the start nor by a child that is started anew."""
    before = elsewhere.pids()
    elsewhere.kill("agents")
    wait_until(lambda: elsewhere.pids().get("agents") not in {None, before["agents"]})
    wait_until(lambda: elsewhere.client.get("/readyz").status_code == 200)

    logs = "".join(path.read_text() for path in elsewhere.settings.data_dir.rglob("*.log"))
    assert "theirs" not in logs


def test_which_processes_there_are_is_never_half_written(elsewhere: Running) -> None:
    """Whoever reads on while a process is replaced reads the list of before to its end."""
    path, before = elsewhere.settings.data_dir / "pids", elsewhere.pids()
    with path.open(encoding="utf-8") as held:
        elsewhere.kill("guard")
        wait_until(lambda: elsewhere.pids().get("guard") not in {None, before["guard"]})
        said = held.read()

    assert said == "".join(f"{name} {pid}\n" for name, pid in before.items())


def test_a_stack_whose_start_fails_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all its processes, although the test that wanted it never began."""
    begun = dict[str, int]()

    def fails(self: Running) -> bool:
        with suppress(FileNotFoundError):
            begun.update(self.pids())
        if "web" in begun:
            raise RuntimeError("a fixture fails")
        return False

    monkeypatch.setattr(Running, "_is_ready", fails)
    with pytest.raises(RuntimeError, match="a fixture fails"), Running(settings_in(tmp_path)):
        pass

    assert {"broker", "redis", "web"} <= begun.keys()
    wait_until(lambda: not any(map(memory_of, begun.values())))
