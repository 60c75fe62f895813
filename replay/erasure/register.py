"""Who must stay forgotten, whatever is restored?

A register outside all backups, which is held against the keys at every start.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


class Erased(NamedTuple):
    """Somebody who was forgotten.

    When, by whom, why, and to which households and groups they belonged. No name but the number.
    """

    subject: str
    at: str
    by: str
    reason: str
    wholes: Sequence[str] = ()


class Erasures:
    """The register, a line each."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(
        self, subjects: Mapping[str, Collection[str]], at: datetime, by: str, reason: str
    ) -> None:
        """Write down, before anything is destroyed, who is to be forgotten, and what must be folded
        again without each of them.
        """
        known = {(erased.subject, *erased.wholes) for erased in self.all()}
        subjects = {
            subject: wholes
            for subject, wholes in subjects.items()
            if (subject, *sorted(wholes)) not in known
        }
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = "".join(
            json.dumps(Erased(subject, at.isoformat(), by, reason, sorted(wholes))) + "\n"
            for subject, wholes in subjects.items()
        )
        with os.fdopen(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600), "r+b") as file:
            file.seek(
                file.read().rfind(b"\n") + 1
            )  # a line that was half written goes: nothing had been destroyed yet
            file.truncate()
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())

    def all(self) -> list[Erased]:
        """Everybody who was forgotten.

        A line that was half written is none, because nothing had been destroyed yet.
        """
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").split("\n")[:-1]
        return [Erased(*json.loads(line)) for line in lines]
