"""Who is told what was set aside, and why?

Whoever sent it: on a topic of its own, one CloudEvent for each, and where it is asked for by name.
Never what it said.
"""

import json

import msgspec

from streams.journal import Entry, Shard

SOURCE = "tierfold/intake"
SET_ASIDE = "tierfold.arrival-set-aside.v1"
LOOKED_BACK = 2_000
"""So many of the newest entries of all shards together are looked through for one name."""
AT_ONCE = 50
TOLD_OF = 300
"""Letters of a name or a reason that are told: a message has its limit, and a sender has none."""


class Sender(msgspec.Struct):
    """What a message says of its sender, as far as it can be read."""

    source: str | None = None
    id: str | None = None
    type: str | None = None
    subject: str | None = None


def sender_of(entry: Entry) -> Sender:
    """Who sent something in quarantine, under which name, and as what."""
    try:
        return msgspec.json.decode(entry.original, type=Sender)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = json.loads(entry.sent_with or "{}").get("headers", {})
        return Sender(*(said.get(f"ce_{name}") for name in Sender.__struct_fields__))


def told(shard: int, entry: Entry) -> bytes:
    """What a sender is told of something in quarantine, as a structured CloudEvent.

    Its subject is the source of what was sent. Whoever hears it twice knows it by its id.
    """
    sender = sender_of(entry)
    names = {
        name: _short(said)
        for name, said in msgspec.structs.asdict(sender).items()
        if name != "subject"
    }
    said = {
        "specversion": "1.0",
        "id": f"{shard}/{entry.number}",
        "source": SOURCE,
        "type": SET_ASIDE,
        "time": entry.quarantined_at,
        "data": {
            **names,
            "field": _short(entry.field),
            "reason": _short(entry.reason),
            "log": entry.log,
            "offset": entry.offset,
            "item": entry.item,
        },
    }
    return msgspec.json.encode(said | ({"subject": names["source"]} if sender.source else {}))


def _short(said: str | None) -> str | None:
    return said if said is None or len(said) <= TOLD_OF else f"{said[:TOLD_OF]}…"


def entry_told(value: bytes) -> int | None:
    """The number of the entry that a message told of; None where it is nobody's of ours."""
    try:
        said = msgspec.json.decode(value, type=Sender)
        return int((said.id or "").partition("/")[2]) if said.source == SOURCE else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def of_name(shard: Shard, name: tuple[str, str, str], newest: int) -> Entry | None:
    """The newest entry with this source, id and subject, among so many of a shard."""
    last = shard.last_set_aside()
    for before in range(last, max(last - newest, 0), -AT_ONCE):
        for entry in reversed(shard.quarantined(max(before - AT_ONCE, 0), AT_ONCE)):
            sender = sender_of(entry)
            if (sender.source, sender.id, sender.subject) == name:
                return entry
    return None
