"""What is kept of what could not be recorded?

Its bytes, sealed: nobody knows what is in them.

With the key of whom they say they are about, if that is somebody who has one; or else with one of
the month in which they came. So junk makes no keys.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.envelope import Proposed
from domain.event_types import PREFIX, TYPE_BY_EVENT
from streams.journal.outcomes import Arrival, Rejected
from streams.keyring import Key, Keyring

NAME = r"(?:customer|household|company|manager|case):[A-Za-z0-9_.\-:/@#]{1,190}"
NAMED = re.compile(NAME)
SUBJECT = re.compile(rf'"subject"\s*:\s*"({NAME})"'.encode())


class Entry(NamedTuple):
    """Something in quarantine.

    Where it came from, why, its original bytes, and what they were sent with (JSON).

    Bytes and what they were sent with are empty once their subject was forgotten.
    """

    number: int
    log: str
    offset: int
    item: int
    reason: str
    field: str | None
    original: bytes
    sent_with: str | None
    quarantined_at: str
    redriven_at: str | None
    subject: str | None = None


def set_aside(
    arrivals: Iterable[tuple[Arrival, Rejected]], log: str, now: datetime, keyring: Keyring | None
) -> list[tuple[Any, ...]]:
    """The rows of arrivals that are quarantined."""
    arrivals = list(arrivals)
    said = [_said_subjects(arrival) for arrival, _ in arrivals]
    known = keyring.known({each for some in said for each in some}) if keyring else set()
    month = f"quarantine:{now:%Y-%m}"
    subjects = [next((each for each in some if each in known), month) for some in said]
    keys: dict[str, Key | None] = {} if keyring is None else keyring.get_or_create(set(subjects))
    return [
        (
            *(log, arrival.offset, arrival.item, rejected.reason, rejected.field),
            *_sealed(arrival, subject, keys),
            *(now.isoformat(), subject if keys.get(subject) else None),
        )
        for (arrival, rejected), subject in zip(arrivals, subjects, strict=True)
    ]


def taken_out(rows: Sequence[tuple[Any, ...]], keyring: Keyring | None) -> list[Entry]:
    """Entries with what was sealed opened again."""
    entries = [Entry._make(row)._replace(original=bytes(row[6])) for row in rows]
    wanted = {entry.subject for entry in entries if entry.subject is not None}
    keys = keyring.get(wanted) if keyring is not None and wanted else {}
    return [
        entry if entry.subject is None else _opened(entry, keys[entry.subject]) for entry in entries
    ]


def _said_subjects(arrival: Arrival) -> list[str]:
    """Whom an arrival says it is about, in the order in which that is believed."""
    if isinstance(arrival.read, Proposed):
        return [arrival.read.subject] if arrival.read.subject else []
    beside = json.loads(arrival.sent_with) if arrival.sent_with else {}
    said = [
        beside.get("headers", {}).get("ce_subject"),
        beside.get("key"),
        *(found.decode() for found in SUBJECT.findall(arrival.raw)[:1]),
    ]
    return [name for name in said if name and NAMED.fullmatch(name)]


def _sealed(
    arrival: Arrival, subject: str, keys: dict[str, Key | None]
) -> tuple[bytes, str | None]:
    """Bytes and what they were sent with; nothing of those whose subject was forgotten."""
    sent_with = arrival.sent_with or _beside(arrival)
    if not keys:
        return arrival.raw, sent_with
    key = keys[subject]
    return (
        (b"", None)
        if key is None
        else (
            key.seal(json.dumps((arrival.raw.hex(), sent_with)).encode(), b"quarantine"),
            None,
        )
    )


def _beside(arrival: Arrival) -> str | None:
    """The attributes of an event that was read, where its own bytes are its data alone.

    So it can be named, and sent again.
    """
    if not isinstance(arrival.read, Proposed) or b'"specversion"' in arrival.raw:
        return None
    event = arrival.read
    said = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": PREFIX + TYPE_BY_EVENT[type(event.data)],
        "subject": event.stream,
        "time": event.occurred_at.isoformat(),
        "businessdate": event.business_date.isoformat(),
        **({"cause": event.cause} if event.cause else {}),
    }
    return json.dumps({"headers": {f"ce_{name}": value for name, value in said.items()}})


def _opened(entry: Entry, key: Key | None) -> Entry:
    if key is None:
        return entry._replace(original=b"", sent_with=None)
    raw, sent_with = json.loads(key.open(entry.original, b"quarantine"))
    return entry._replace(original=bytes.fromhex(raw), sent_with=sent_with)
