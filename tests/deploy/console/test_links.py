"""A link lets one person in, once, for ten minutes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.console import links
from deploy.console.links import make_link, spend
from domain.access.roles import Caller

LI = Caller("li", ("supervisor",))


def code_of(link: str) -> str:
    """The code in a link."""
    return parse_qs(urlsplit(link).query)["code"][0]


def test_a_link_is_spent_once_however_many_try_at_once(tmp_path: Path) -> None:
    """One of sixteen gets in, and nobody after it."""
    code = code_of(make_link(tmp_path, "http://bank", LI))
    with ThreadPoolExecutor(16) as pool:
        found = [*pool.map(lambda _: spend(tmp_path, code), range(16))]

    assert [each for each in found if each] == [LI]
    assert spend(tmp_path, code) is None
    assert [*tmp_path.iterdir()] == []


def test_a_link_that_is_over_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes are its time."""
    monkeypatch.setattr(links, "GOOD_FOR", -1)
    code = code_of(make_link(tmp_path, "http://bank", LI))

    assert spend(tmp_path, code) is None


def test_whoever_reads_the_folder_has_no_code(tmp_path: Path) -> None:
    """It holds digests, and is for its owner alone."""
    code = code_of(make_link(tmp_path / "links", "http://bank", LI))
    [file] = (tmp_path / "links").iterdir()

    assert code not in file.name + file.read_text()
    assert spend(tmp_path / "links", file.name) is None
    assert (file.stat().st_mode & 0o077, (tmp_path / "links").stat().st_mode & 0o077) == (0, 0)


@pytest.mark.parametrize("code", ["", "../links", "x" * 9_000, "\x00", "é"])
def test_a_code_that_is_none_lets_nobody_in(tmp_path: Path, code: str) -> None:
    """Whatever it looks like, nothing outside the folder is touched."""
    make_link(tmp_path, "http://bank", LI)

    assert spend(tmp_path, code) is None
    assert len([*tmp_path.iterdir()]) == 1
