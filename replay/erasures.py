"""Who must stay forgotten, whatever is restored? A register outside all backups, which is held against the keys at every start."""

import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

AT_ONCE = 1_000


class Erased(NamedTuple):
    """Somebody who was forgotten: when, by whom, and why. No name but the number."""

    subject: str
    at: str
    by: str
    reason: str


class Erasures:
    """The register, a line each."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, subjects: Iterable[str], at: datetime, by: str, reason: str) -> None:
        """Write down, before anything is destroyed, who is to be forgotten."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(Erased(subject, at.isoformat(), by, reason)) + "\n" for subject in subjects)
            file.flush()
            os.fsync(file.fileno())

    def all(self) -> list[Erased]:
        """Everybody who was forgotten; a line that was half written is none, because nothing had been destroyed yet."""
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").split("\n")[:-1]
        return [Erased(*json.loads(line)) for line in lines]


def some_at_once(subjects: Sequence[str]) -> Iterable[Sequence[str]]:
    """Subjects, some at a time."""
    return (subjects[start : start + AT_ONCE] for start in range(0, len(subjects), AT_ONCE))
