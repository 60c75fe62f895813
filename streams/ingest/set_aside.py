"""Who is told what was set aside, and why?

Whoever sent it: on a topic of its own, one CloudEvent for each, and where it is asked for by name.
Never what it said.
"""

import json
from collections.abc import Iterator

import msgspec

from streams.journal import Entry, Shard

SOURCE = "tierfold/intake"
SET_ASIDE = "tierfold.arrival-set-aside.v1"
LOOKED_BACK = 2_000
"""Of the newest entries of a shard, so many are looked through for one name."""


class Sender(msgspec.Struct):
    """What a message says of its sender, as far as it can be read."""

    source: str | None = None
    id: str | None = None
    type: str | None = None


def sender_of(entry: Entry) -> Sender:
    """Who sent something in quarantine, under which name, and as what."""
    try:
        return msgspec.json.decode(entry.original, type=Sender)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = json.loads(entry.sent_with or "{}").get("headers", {})
        return Sender(*(said.get(f"ce_{name}") for name in ("source", "id", "type")))


def told(shard: int, entry: Entry) -> bytes:
    """What a sender is told of something in quarantine, as a structured CloudEvent.

    Its subject is the source of what was sent. Whoever hears it twice knows it by its id.
    """
    sender = sender_of(entry)
    said = {
        "specversion": "1.0",
        "id": f"{shard}/{entry.number}",
        "source": SOURCE,
        "type": SET_ASIDE,
        "time": entry.quarantined_at,
        "data": {
            **msgspec.structs.asdict(sender),
            "field": entry.field,
            "reason": entry.reason,
            "log": entry.log,
            "offset": entry.offset,
            "item": entry.item,
        },
    }
    return msgspec.json.encode(said | ({"subject": sender.source} if sender.source else {}))


def entry_told(value: bytes) -> int | None:
    """The number of the entry that a message told of; None where it is nobody's of ours."""
    try:
        said = msgspec.json.decode(value, type=Sender)
        return int((said.id or "").partition("/")[2]) if said.source == SOURCE else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def of_name(shard: Shard, source: str, event_id: str) -> Entry | None:
    """The newest entry of this name, among the newest of a shard."""
    newest = reversed([*_newest(shard)])
    return next(
        (
            entry
            for entry in newest
            if (sender := sender_of(entry)).source == source and sender.id == event_id
        ),
        None,
    )


def _newest(shard: Shard) -> Iterator[Entry]:
    after = max(shard.last_set_aside() - LOOKED_BACK, 0)
    while entries := shard.quarantined(after):
        yield from entries
        after = entries[-1].number
