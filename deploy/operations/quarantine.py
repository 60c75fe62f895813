"""What can be done with what is in quarantine? Sent again, or let go; each is an event."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Self
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from deploy.settings import Settings
from deploy.terminal import UserError
from domain.bank.events import QuarantineCleared
from domain.envelope import Proposed
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write, write_batch
from streams.ingest.set_aside import sender_of
from streams.journal import Entry, Journal
from streams.publish.confirmed_producer import ConfirmedProducer

SOURCE = "tierfold/quarantine"
AT_ONCE = 500
"""Events in one message."""
PATIENCE = 60.0
Fate = Literal["re-driven", "mended", "discarded"]


class Place(NamedTuple):
    """A shard, and the number of an entry within: `0/17`."""

    shard: int
    number: int

    @classmethod
    def of(cls, name: str, shards: int) -> Self:
        """The place of that name; raises `UserError` for what is none."""
        shard, _, number = name.partition("/")
        if not (shard.isdecimal() and number.isdecimal() and int(shard) < shards):
            raise UserError(f"{name} is not an entry: SHARD/NUMBER, with a shard below {shards}")
        return cls(int(shard), int(number))

    def __str__(self) -> str:
        return f"{self.shard}/{self.number}"


class Clearing(NamedTuple):
    """What becomes of entries, who decides it, and why."""

    fate: Fate
    by: str
    why: str

    def of(self, entry: int) -> QuarantineCleared:
        """The event of one entry; raises `ValueError` for a name or a reason that cannot be."""
        return QuarantineCleared(entry=str(entry), fate=self.fate, by=self.by, reason=self.why)


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
    """The entry of a name; raises `UserError` where there is none."""
    place = Place.of(name, len(journal))
    found = journal[place.shard].quarantined(place.number - 1, 1)
    if not found or found[0].number != place.number:
        raise UserError(f"there is no entry {name}: `tierfold quarantine list` names all")
    return place, found[0]


def re_drive(
    settings: Settings,
    producer: ConfirmedProducer,
    journal: Journal,
    names: Sequence[str],
    how: Clearing,
) -> int:
    """Send entries to the front door again as they were, some at a time; what was sent is on record
    also where something fails behind it.

    Gives the number of those in which there was anything to send.
    """
    count = 0
    for at in range(0, len(names), AT_ONCE):
        sent: list[Place] = []
        try:
            for name in names[at : at + AT_ONCE]:
                place, entry = find(journal, name)
                if entry.original:
                    _as_it_was(producer, place.shard, entry)
                    sent.append(place)
        finally:
            clear(settings, producer, journal, sent, how)
        count += len(sent)
    return count


def clear(
    settings: Settings,
    producer: ConfirmedProducer,
    journal: Journal,
    places: Sequence[Place],
    how: Clearing,
) -> None:
    """Record what became of entries. Raises `UserError` where no intake takes it."""
    now = datetime.now(ZoneInfo(settings.timezone))
    by_shard: dict[int, list[bytes]] = defaultdict(list)
    for place in places:
        stream = _stream(place.shard)
        name = f"{how.fate}/{place}/{uuid4().hex}"
        event = Proposed(SOURCE, name, stream, now, now.date(), how.of(place.number))
        by_shard[shard_of(stream, len(journal))].append(write(event))
    waiting = [
        producer.submit(shard, write_batch(events[at : at + AT_ONCE]), batch=True)
        for shard, events in by_shard.items()
        for at in range(0, len(events), AT_ONCE)
    ]
    try:
        for each in waiting:
            each.result(timeout=PATIENCE)
    except TimeoutError as error:
        raise UserError("it is not on record: is an intake running?") from error
    if how.fate != "discarded":
        for place in places:
            journal[place.shard].redriven(place.number, now.astimezone(UTC))


def _stream(shard: int) -> str:
    return f"quarantine:{shard}"


def _cleared(journal: Journal, shard: int) -> dict[str, Fate]:
    """What became of the entries of a shard, by their numbers."""
    home, stream = journal[shard_of(_stream(shard), len(journal))], _stream(shard)
    cleared: dict[str, Fate] = {}
    after = 0
    while events := home.history(stream, after):
        cleared |= {
            event.data.entry: event.data.fate
            for event in events
            if isinstance(event.data, QuarantineCleared)
        }
        after = events[-1].version
    return cleared


def _as_it_was(producer: ConfirmedProducer, shard: int, entry: Entry) -> None:
    """Send the original bytes with the key and headers that they came with, or as our own word if
    they were; waits until they are safe.
    """
    came_with = json.loads(entry.sent_with or "{}")
    key, headers = (
        came_with.get("key"),
        [(name, value.encode()) for name, value in came_with.get("headers", {}).items()],
    )
    sent = (
        producer.submit(shard, entry.original)
        if came_with.get("ours")
        else producer.forward(shard, entry.original, headers, key.encode() if key else None)
    )
    sent.result(timeout=PATIENCE)
