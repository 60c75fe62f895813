"""A file that is new is held to the boundaries at once: whatever is planted, the
contracts find it.
"""

import ast
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("domain", "projections", "streams", "replay", "deploy")
DOORS = (
    "eventsourcing",
    "psycopg",
    "kafka",
    "faust",
    "redis",
    "river",
    "numba",
    "jinja2",
    "opentelemetry",
)


def said_of(folder: Path) -> tuple[int, str]:
    """What the contracts say of a copy of the code."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return done.returncode, " ".join(done.stdout.decode().split())


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    """A copy with a module on each floor that imports what it may not, and two rooms that import
    each other.
    """
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, folder / floor, ignore=shutil.ignore_patterns("__pycache__"))
        forbidden = "".join(f"import {door}\n" for door in DOORS)
        above = FLOORS[FLOORS.index(floor) + 1 :][:1]
        (folder / floor / "planted.py").write_text(
            forbidden + "".join(f"import {each}.planted\n" for each in above)
        )
        for room, other in (("one", "other"), ("other", "one")):
            (folder / floor / f"planted_{room}").mkdir()
            (folder / floor / f"planted_{room}" / "__init__.py").touch()
            (folder / floor / f"planted_{room}" / "file.py").write_text(
                f"from {floor}.planted_{other} import file\n"
            )
    return said_of(folder)


def test_the_code_as_it_is_breaks_no_contract() -> None:
    """What `make check` says."""
    code, said = said_of(ROOT)

    assert code == 0, said


def test_the_domain_imports_pydantic_and_the_standard_library_alone() -> None:
    """Rules are pure: whatever is installed, nothing else is asked."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "domain").rglob("*.py")
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    named |= {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}

    assert {name.partition(".")[0] for name in named} <= {
        "domain",
        "pydantic",
        *sys.stdlib_module_names,
    }


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("door", DOORS)
def test_a_forbidden_import_is_found_on_every_floor(
    planted: tuple[int, str], floor: str, door: str
) -> None:
    """Whoever wants a dependency goes through its door."""
    code, said = planted

    assert code == 1
    assert (
        f"{floor}.planted is not allowed to import {door}: - {floor}.planted -> {door}" in said
        or f"- {floor}.planted -> {door} (" in said
    )


@pytest.mark.parametrize(("lower", "upper"), pairwise(FLOORS))
def test_an_import_upwards_is_found(planted: tuple[int, str], lower: str, upper: str) -> None:
    """Imports point one way."""
    assert f"{lower}.planted -> {upper}.planted" in planted[1]


@pytest.mark.parametrize("floor", FLOORS)
def test_a_circle_of_rooms_is_found(planted: tuple[int, str], floor: str) -> None:
    """No two rooms of a floor need each other."""
    assert f"No cycles are allowed in {floor}." in planted[1]
