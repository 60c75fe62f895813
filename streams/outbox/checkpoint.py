"""What has a subscriber been told, whatever breaks? A file of its own, replaced as a whole."""

import json
import os
from collections.abc import Iterable, Mapping
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
    """The files of one subscriber in a folder: names, numbers and reasons, never what is told."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{name}.json"
        self._given_up = folder / f"{name}.undelivered.json"
        self._again = folder / f"{name}.again"

    def read(self) -> Checkpoint | None:
        """What was kept last; None where there is nothing. Raises `BadCheckpoint`."""
        said = _read(self._file)
        try:
            return said and Checkpoint(
                {log: int(number) for log, number in said["upto"].items()},
                int(said["delivered"]),
                {name: (float(at), int(tries)) for name, (at, tries) in said["failing"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _bad(self._file) from error

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, safe on the disk."""
        _write(self._file, asdict(checkpoint))

    def give_up(self, letters: Iterable[Mapping[str, Any]]) -> None:
        """Note that notices are not tried any more: their names and why, never what they say."""
        known = {each["id"]: each for each in self.given_up()}
        _write(self._given_up, [*{**known, **{each["id"]: each for each in letters}}.values()])

    def given_up(self) -> list[dict[str, Any]]:
        """What is not tried any more (the dead letters), in order. Raises `BadCheckpoint`."""
        return _read(self._given_up) or []

    def taken(self, names: Iterable[str]) -> None:
        """Forget dead letters that were handed over after all."""
        gone = {*names}
        _write(self._given_up, [each for each in self.given_up() if each["id"] not in gone])

    def ask_again(self) -> None:
        """Leave word that what was given up is to be handed over once more."""
        self._again.touch()

    def asked_again(self) -> bool:
        """Whether somebody left that word; it is told once."""
        if not self._again.exists():
            return False
        self._again.unlink()
        return True


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _bad(file) from error


def _bad(file: Path) -> BadCheckpoint:
    return BadCheckpoint(f"{file} cannot be read: put back a copy, or delete it to begin anew")


def _write(file: Path, said: Any) -> None:
    fresh = file.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as opened:
        json.dump(said, opened)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
