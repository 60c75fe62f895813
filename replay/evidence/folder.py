"""Where does it lie what was vouched for?

In a folder of its own, that is only appended to: of each shard its leaves, checkpoints and
censuses.

Keep it apart from the journal, where the journal's administrators cannot write, or copy it there:
with it alone an event that was changed is found by its position, whatever else was changed to hide
it.
"""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from streams.journal import Leaf

RECORD = struct.Struct(">q32s")
"""A leaf: the position of an event, and the hash of its stored bytes."""
CHUNK_LEAVES = 8_192
HASH = 32
END = "\n\n"
"""What a note in a file ends with: two empty lines, which no note has within."""


class Evidence:
    """The evidence of one shard."""

    def __init__(self, folder: Path, shard: int) -> None:
        self._folder = folder / f"shard-{shard}"
        self._leaves = self._folder / "leaves"

    def size(self) -> int:
        """How many leaves there are; one that was half written is none."""
        return self._leaves.stat().st_size // RECORD.size if self._leaves.exists() else 0

    def leaves(self, begin: int = 0) -> Iterator[Leaf]:
        """The leaves from an index on."""
        if not self._leaves.exists():
            return
        with self._leaves.open("rb") as file:
            file.seek(begin * RECORD.size)
            while some := file.read(RECORD.size * CHUNK_LEAVES):
                yield from (
                    Leaf(*record)
                    for record in RECORD.iter_unpack(some[: len(some) // RECORD.size * RECORD.size])
                )

    def checkpoints(self) -> list[str]:
        """The signed checkpoints, the oldest first."""
        return self._notes("checkpoints")

    def censuses(self) -> list[str]:
        """The signed heads of the censuses, the oldest first."""
        return self._notes("censuses")

    def entries(self, day: str) -> list[bytes]:
        """The leaf hashes of the census of a day, in its order; nothing if they are no
        longer kept.
        """
        file = self._folder / f"census-{day}"
        said = file.read_bytes() if file.exists() else b""
        return [said[at : at + HASH] for at in range(0, len(said), HASH)]

    def append_leaves(self, leaves: Iterable[Leaf]) -> None:
        """Append leaves behind the last whole one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._leaves.open("ab") as file:
            file.truncate(self.size() * RECORD.size)
            file.write(b"".join(RECORD.pack(*leaf) for leaf in leaves))
            _sync(file.fileno())

    def append_checkpoint(self, note: str) -> None:
        """Append a signed checkpoint."""
        self._append("checkpoints", note)

    def append_census(self, note: str, day: str, entries: Sequence[bytes]) -> None:
        """Append the signed head of a census; its leaves are kept until the next one."""
        before = sorted(self._folder.glob("census-*"))
        with (self._folder / f"census-{day}").open("wb") as file:
            file.write(b"".join(entries))
            _sync(file.fileno())
        self._append("censuses", note)
        for old in before:
            if old.name != f"census-{day}":
                old.unlink()

    def _notes(self, name: str) -> list[str]:
        file = self._folder / name
        return (
            [f"{note}\n" for note in file.read_text(encoding="utf-8").split(f"\n{END}")[:-1]]
            if file.exists()
            else []
        )

    def _append(self, name: str, note: str) -> None:
        """Append a note; what a crash has left half written behind the last whole one is
        written over.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / name
        with file.open("ab") as end:
            end.truncate(_whole(file))
            end.write(f"{note}{END}".encode())
            _sync(end.fileno())


def _whole(file: Path) -> int:
    """The bytes of a file of notes up to the end of the last whole one."""
    size = file.stat().st_size
    with file.open("rb") as begun:
        begun.seek(max(0, size - len(END) - 1))
        if size == 0 or begun.read() == f"\n{END}".encode():
            return size
    found = file.read_bytes().rfind(f"\n{END}".encode())
    return 0 if found < 0 else found + 1 + len(END)


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)
