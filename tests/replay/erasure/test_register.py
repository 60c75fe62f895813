"""The register of the forgotten outlives whatever happens to its writer."""

from datetime import UTC, datetime
from pathlib import Path

from replay.erasure.register import Erasures

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_half_written_line_is_nobody_and_hinders_nobody(tmp_path: Path) -> None:
    """The writer was killed: nothing had been destroyed yet; the next line stands whole."""
    file = tmp_path / "register"
    register = Erasures(file)
    register.add({"customer:1": ["household:1"]}, AT, "li", "x")
    file.write_bytes(file.read_bytes() + b'["customer:2", "2026')
    assert [erased.subject for erased in register.all()] == ["customer:1"]
    register.add({"customer:3": []}, AT, "li", "x")

    assert [(erased.subject, list(erased.wholes)) for erased in register.all()] == [
        ("customer:1", ["household:1"]),
        ("customer:3", []),
    ]
    assert file.stat().st_mode & 0o077 == 0


def test_who_is_in_it_already_is_not_written_twice(tmp_path: Path) -> None:
    """Whoever was stopped begins again; a household that is known only now is added."""
    register = Erasures(tmp_path / "register")
    for wholes in (["household:1"], ["household:1"], []):
        register.add({"customer:1": wholes}, AT, "li", "x")

    assert [list(erased.wholes) for erased in register.all()] == [["household:1"], []]
