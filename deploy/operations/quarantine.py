"""What can be done with what is in quarantine? Sent again, or let go; each is an event."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

from deploy.settings import Settings
from domain.bank.events import QuarantineCleared
from domain.envelope import Proposed
from replay.rollout.front_door import NotSeen
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write, write_batch
from streams.journal import Entry, Journal
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.queries.quarantine import Place, find, stream_of

SOURCE = "tierfold/quarantine"
AT_ONCE = 500
"""Events in one message."""
PATIENCE = 60.0
Fate = Literal["re-driven", "mended", "discarded"]


class Clearing(NamedTuple):
    """What becomes of entries, who decides it, and why."""

    fate: Fate
    by: str
    why: str

    def of(self, entry: int) -> QuarantineCleared:
        """The event of one entry; raises `ValueError` for a name or a reason that cannot be."""
        return QuarantineCleared(entry=str(entry), fate=self.fate, by=self.by, reason=self.why)


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
    """Record what became of entries. Raises `NotSeen` where no intake takes it."""
    now = datetime.now(ZoneInfo(settings.timezone))
    by_shard: dict[int, list[bytes]] = defaultdict(list)
    for place in places:
        stream = stream_of(place.shard)
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
        raise NotSeen("it is not on record: is an intake running?") from error
    if how.fate != "discarded":
        for place in places:
            journal[place.shard].redriven(place.number, now.astimezone(UTC))


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
