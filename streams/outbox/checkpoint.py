"""What has a subscriber been told, whatever breaks? A file of its own, replaced as a whole."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Checkpoint:
    """By log, the number up to which all was handed over or given up; how many notices were handed
    over; and those that fail, by name: since when (seconds since 1970), and how often.
    """

    upto: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    failing: dict[str, tuple[float, int]] = field(default_factory=dict)


class BadCheckpoint(ValueError):
    """A file that cannot be read; says what to do."""


class Checkpoints:
    """The files of one subscriber in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{name}.json"
        self._given_up = folder / f"{name}.undelivered.jsonl"

    def read(self) -> Checkpoint | None:
        """What was kept last; None where there is nothing. Raises `BadCheckpoint`."""
        try:
            said: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            return Checkpoint(
                {log: int(number) for log, number in said["upto"].items()},
                int(said["delivered"]),
                {name: (float(at), int(tries)) for name, (at, tries) in said["failing"].items()},
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadCheckpoint(
                f"{self._file} cannot be read: put back a copy, or delete it to begin anew"
            ) from error

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, safe on the disk."""
        fresh = self._file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)

    def give_up(self, name: str, why: str, at: str, tries: int) -> None:
        """Note that a notice is not tried any more: its name, never what it says."""
        line = json.dumps({"id": name, "why": why, "at": at, "tries": tries})
        with self._given_up.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())

    def given_up(self) -> list[dict[str, Any]]:
        """What is not tried any more (the dead letters), in order."""
        try:
            lines = self._given_up.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line]

    def let_go(self) -> None:
        """Forget what is not tried any more."""
        self._given_up.unlink(missing_ok=True)
