"""What is in quarantine? Who sent it, why it is there, what became of it; never what it says."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import msgspec

from domain.bank.events import QuarantineCleared
from streams.broker.routing import shard_of
from streams.ingest.set_aside import sender_of
from streams.journal import Entry, Journal


class NoEntry(ValueError):
    """There is no such entry; says how entries are named."""


class Place(NamedTuple):
    """A shard, and the number of an entry within: `0/17`."""

    shard: int
    number: int

    @classmethod
    def of(cls, name: str, shards: int) -> Self:
        """The place of that name; raises `NoEntry` for what is none."""
        shard, _, number = name.partition("/")
        if not (shard.isdecimal() and number.isdecimal() and int(shard) < shards):
            raise NoEntry(f"{name} is not an entry: SHARD/NUMBER, with a shard below {shards}")
        return cls(int(shard), int(number))

    def __str__(self) -> str:
        return f"{self.shard}/{self.number}"


class Wanted(NamedTuple):
    """What entries have that are meant; a reason by a part of it."""

    source: str | None = None
    type: str | None = None
    field: str | None = None
    reason: str | None = None

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether an entry has all of it."""
        return (
            self.source in (None, row["source"])
            and self.type in (None, row["type"])
            and self.field in (None, row["field"])
            and (self.reason or "") in row["reason"]
        )


def rows(journal: Journal) -> Iterator[dict[str, Any]]:
    """Every entry, with its sender and what became of it, and without what it says."""
    for shard in journal:
        cleared, after = _cleared(journal, shard.number), 0
        while entries := shard.quarantined(after):
            for entry in entries:
                fields = entry._asdict()
                del fields["number"], fields["original"]
                fate = cleared.get(str(entry.number))
                yield {
                    "entry": str(Place(shard.number, entry.number)),
                    **msgspec.structs.asdict(sender_of(entry)),
                    **fields,
                    "fate": fate or ("re-driven" if entry.redriven_at else None),
                }
            after = entries[-1].number


def find(journal: Journal, name: str) -> tuple[Place, Entry]:
    """The entry of a name; raises `NoEntry` where there is none."""
    place = Place.of(name, len(journal))
    found = journal[place.shard].quarantined(place.number - 1, 1)
    if not found or found[0].number != place.number:
        raise NoEntry(f"there is no entry {name}: `tierfold quarantine list` names all")
    return place, found[0]


def stream_of(shard: int) -> str:
    """Where it is on record what became of the entries of a shard."""
    return f"quarantine:{shard}"


def _cleared(journal: Journal, shard: int) -> dict[str, str]:
    """What became of the entries of a shard, by their numbers."""
    home, stream = journal[shard_of(stream_of(shard), len(journal))], stream_of(shard)
    cleared: dict[str, str] = {}
    after = 0
    while events := home.history(stream, after):
        cleared |= {
            event.data.entry: event.data.fate
            for event in events
            if isinstance(event.data, QuarantineCleared)
        }
        after = events[-1].version
    return cleared
