"""What is there to tell a subscriber, behind a place?

Read from the journal: events, and what is in quarantine. Each notice has its place, and is named by
it for ever.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from domain.access.privacy_policy import masked
from domain.access.roles import UNMASKED
from domain.event_types import PREFIX, type_key
from domain.notices.notice import OF_EVENTS, RECORDED, SET_ASIDE, told_of
from domain.notices.subscribers import Subscriber
from streams.ingest.set_aside import sender_of, told
from streams.journal import FORGOTTEN, Journal, Row, Shard, part_decoder
from streams.policies.in_force import InForce

SOURCE = "tierfold/notices"
CHUNK_ROWS = 1_000
LARGEST = 256 * 1024
"""Bytes of a notice; of one that would be larger the data is left out, and `dataref` says where it
is.
"""


class SentHead(msgspec.Struct, gc=False):
    """What the head of a stored event says of who sent it."""

    source: str
    id: str
    version: int
    occurred_at: str
    business_date: str


class Place(NamedTuple):
    """Where a notice comes from: a log of a shard (its events, or its quarantine), and its number
    there.
    """

    log: str
    number: int


class Notice(NamedTuple):
    """What is told: its name, of whom (in whose order it goes), where it comes from, and a
    structured CloudEvent.
    """

    id: str
    subject: str
    place: Place
    body: bytes


class Read(NamedTuple):
    """Some notices of a log, and the number up to which it was read."""

    notices: list[Notice]
    upto: int


class Source:
    """All that one subscriber may be told of, log by log."""

    def __init__(self, journal: Journal, subscriber: Subscriber, policies: InForce) -> None:
        self._journal = journal
        self._subscriber = subscriber
        self._policies = policies
        self._types = {
            type_key(event): name for name, event in OF_EVENTS.items() if name in subscriber.types
        }
        self._tells_recorded = RECORDED in subscriber.types

    def logs(self) -> list[str]:
        """The logs that it reads."""
        events = [f"events/{shard.number}" for shard in self._journal]
        aside = [f"quarantine/{shard.number}" for shard in self._journal]
        of_events = events if self._types or self._tells_recorded else []
        return [*of_events, *(aside if SET_ASIDE in self._subscriber.types else [])]

    def head(self, log: str) -> int:
        """The number of the last entry of a log."""
        shard = self._shard(log)
        return shard.head() if log.startswith("events/") else shard.last_set_aside()

    def read(self, log: str, after: int, limit: int = CHUNK_ROWS) -> Read:
        """The next notices of a log behind a number, of so many of its entries."""
        return (self._events if log.startswith("events/") else self._set_aside)(log, after, limit)

    def named(self, name: str) -> list[Notice]:
        """The notice of a name, if there is one still."""
        log, _, rest = name.partition("/")
        shard, _, number = rest.partition("/")
        number = number.partition("/")[0]
        found = self.read(f"{log}/{shard}", int(number) - 1, 1).notices
        return [each for each in found if each.id == name]

    def _shard(self, log: str) -> Shard:
        return self._journal[int(log.partition("/")[2])]

    def _events(self, log: str, after: int, limit: int) -> Read:
        shard = self._shard(log)
        types = [] if self._tells_recorded else sorted(self._types)
        upto = shard.head()
        rows = shard.stored(after, limit, upto, types)
        upto = rows[-1].position if len(rows) == limit else upto
        wanted = [row for row in rows if row.event_type in self._types or self._is_own(row)]
        opened = {
            row.position: plain
            for row, plain in zip(wanted, shard.opened(wanted), strict=True)
            if plain.event_type != FORGOTTEN
        }
        found: list[Notice] = []
        for row in opened.values():
            if self._tells_recorded:
                found += self._recorded(log, row)
            if row.event_type in self._types:
                found.append(self._of_event(log, row))
        return Read(found, upto)

    def _is_own(self, row: Row) -> bool:
        """Whether a sender is told of an event, because it sent it."""
        if not self._tells_recorded:
            return False
        return part_decoder(SentHead)(row.state).source in self._subscriber.sources

    def _of_event(self, log: str, row: Row) -> Notice:
        event, name = row.event(), self._types[row.event_type]
        data = told_of(name, self._shown(name, event.data.model_dump(mode="json")))
        place = Place(log, row.position)
        said = {
            "time": event.occurred_at.isoformat(),
            "businessdate": event.business_date.isoformat(),
            **({"cause": event.cause} if event.cause else {}),
        }
        kind = f"{PREFIX}{row.event_type}"
        return _notice(f"{place.log}/{place.number}", kind, row.stream, place, said, data)

    def _shown(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """The data of an event as the role may see it."""
        if self._subscriber.role in UNMASKED:
            return data
        return masked(
            self._policies.privacy.events[name].fields, self._policies.privacy.wherever, data
        )

    def _recorded(self, log: str, row: Row) -> Iterator[Notice]:
        head = part_decoder(SentHead)(row.state)
        if head.source not in self._subscriber.sources:
            return
        place = Place(log, row.position)
        data = {
            "source": head.source,
            "id": head.id,
            "type": f"{PREFIX}{row.event_type}",
            "subject": row.stream,
            "version": head.version,
            "position": row.position,
        }
        said = {"time": head.occurred_at, "businessdate": head.business_date}
        kind = f"{PREFIX}{RECORDED}.v1"
        yield _notice(f"{log}/{row.position}/recorded", kind, row.stream, place, said, data)

    def _set_aside(self, log: str, after: int, limit: int) -> Read:
        shard = self._shard(log)
        entries = shard.quarantined(after, limit)
        found = []
        for entry in entries:
            sender = sender_of(entry).source
            if self._subscriber.role == "operator" or sender in self._subscriber.sources:
                place = Place(log, entry.number)
                name = f"{log}/{entry.number}"
                said = {**json.loads(told(shard.number, entry)), "id": name}
                body = json.dumps(said, ensure_ascii=False).encode()
                found.append(Notice(name, sender or name, place, body))
        return Read(found, entries[-1].number if entries else after)


def _notice(
    name: str, kind: str, subject: str, place: Place, said: dict[str, str], data: Any
) -> Notice:
    head = {"specversion": "1.0", "id": name, "source": SOURCE, "type": kind, "subject": subject}
    whole = {**head, **said, "datacontenttype": "application/json", "data": data}
    body = json.dumps(whole, ensure_ascii=False).encode()
    if len(body) > LARGEST:
        kind_of, _, who = subject.partition(":")
        short = {**head, **said, "dataref": f"/v1/{kind_of}s/{who}/history"}
        body = json.dumps(short, ensure_ascii=False).encode()
    return Notice(name, subject, place, body)


def behind(source: Source, upto: Sequence[tuple[str, int]]) -> int:
    """How many entries of its logs a subscriber has not been told of, at most."""
    return sum(max(0, source.head(log) - number) for log, number in upto)
