"""What can be done with one shard of the journal?

Claim it, record arrivals in it, read it. Nothing else.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from eventsourcing.persistence import StoredEvent, Tracking

from domain.envelope import Proposed, Recorded
from domain.event_types import TYPE_BY_EVENT
from streams.journal.codec import head as head_of
from streams.journal.merkle import BLOCK, BLOCK_LEVEL, Tree, leaf_hash
from streams.journal.outcomes import (
    Arrival,
    Counts,
    Fresh,
    Identity,
    Refused,
    Rejected,
    decide,
    identify,
    source_key,
)
from streams.journal.quarantine import Entry, set_aside, taken_out
from streams.journal.rows import FORGOTTEN, Row, row_of
from streams.journal.sealing import closed, is_sealed, opened, payloads, place_of, subjects_of
from streams.journal.tables import (
    CLAIM,
    COUNTS,
    KNOWN,
    LAST_QUARANTINED,
    MADE_WITH,
    MAKE_WITH,
    QUARANTINED,
    REDRIVEN,
    Beside,
    Fenced,
    chunks,
    placeholders,
)
from streams.keyring import Key, Keyring, Unwrappable, commitment

__all__ = ["Commit", "End", "Fenced", "Known", "Leaf", "LogOffset", "Recorder", "Shard"]


class Commit(NamedTuple):
    """One transaction.

    The rows recorded in it, the position they follow, what became of all arrivals, and what was set
    aside and why.
    """

    after: int
    rows: list[Row]
    counts: Counts
    set_aside: list[tuple[Arrival, Rejected]]


class LogOffset(NamedTuple):
    """A place in a log.

    The log is one partition of one incarnation of a topic, `interactions/<topic id>/<partition>`.
    """

    log: str
    offset: int


class Named(Protocol):
    """What has a name in a stream."""

    @property
    def source(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def stream(self) -> str: ...


class Known(NamedTuple):
    """Where a source id is in the journal, and a digest of what it said."""

    content: bytes
    stream: str
    version: int


class Census(NamedTuple):
    """How many events, source ids and quarantined entries there are, and were counted, at one
    moment; and streams that are not whole.

    A hole is a stream, how many events it has, and the number of the last.
    """

    events: int
    sources: int
    quarantined: int
    recorded: int
    set_aside: int
    holes: list[tuple[str, int, int]]


class Leaf(NamedTuple):
    """A leaf of a shard's tree: the position of an event, and the hash of its stored bytes."""

    position: int
    hash: bytes


class End(NamedTuple):
    """The last event of a stream: its version, and the hash of its stored bytes."""

    version: int
    hash: bytes | None


class Recorder(Protocol):
    """What a shard asks of the recorder below it."""

    position: str
    tracking: str
    datastore: Any

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None: ...
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
    def change(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Shard:
    """One shard: a sequence of events that only its owner extends and anybody may read."""

    def __init__(self, number: int, recorder: Recorder, keyring: Keyring | None = None) -> None:
        self.number = number
        self._recorder = recorder
        self._keyring = keyring
        self._epoch = 0
        self._head = 0
        self._ends: dict[str, End] = {}
        self._tree = Tree()
        self._own: list[Recorded] = []

    def made_with(self, shards: int) -> int:
        """How many shards the journal of this one has had from its first day on.

        `shards`, if this is the first.
        """
        [(first,)] = self._recorder.query(MADE_WITH) or self._recorder.change(MAKE_WITH, (shards,))
        return int(first)

    def claim(self) -> None:
        """Own this shard from now on; whoever owned it before is fenced at their next write.

        Raises `ValueError` if the tree does not end where the events do, and as `must_open` does.
        """
        self.must_open()
        [(self._epoch,)] = self._recorder.change(CLAIM)
        self._head = self.head()
        self._ends.clear()
        self._tree = self._grown()

    def must_open(self) -> None:
        """Raises `NoKey` or `ValueError` where the keys are not those of what was recorded last.

        An event that was changed is for the guard to find: one that opens is enough.
        """
        if self._keyring is None:
            return
        sealed = list(filter(is_sealed, self.stored(self.head() - LOOKED_AT, LOOKED_AT)))
        self._keyring.to_seal(subjects_of(sealed))
        if sealed and not any(map(self._opens, sealed)):
            raise ValueError(
                f"shard {self.number} was sealed by other keys: put back the database of keys that "
                "belongs to this journal (TIERFOLD_VAULT)"
            )

    def _opens(self, row: Row) -> bool:
        """Whether the keys open a row; raises `NoKey` and `Unwrappable`."""
        try:
            self.opened([row])
        except Unwrappable:
            raise
        except ValueError:
            return False
        return True

    def record(
        self, arrivals: Sequence[Arrival], at: LogOffset, now: datetime, forwarded: int = 0
    ) -> Commit:
        """Commit arrivals with the offset up to which their log has been dealt with,
        strays included.

        Events, source ids, quarantine, counts and offset are one transaction. Raises `Fenced` if
        another owner has claimed the shard; after any error the shard must be claimed again before
        it is written.
        """
        identities = self._identified([arrival.read for arrival in arrivals])
        identities, known = self._named(arrivals, identities)
        decided = decide(arrivals, identities, {key: found.content for key, found in known.items()})
        stored, sources, hashes = self._stored(decided.fresh, now)
        blocks = [
            (self._tree.size // BLOCK - 1, root)
            for leaf in hashes
            if (root := self._tree.append(leaf))
        ]
        quarantined = set_aside(decided.quarantined, at.log, now, self._keyring)
        counts = replace(decided.counts, forwarded=forwarded)
        positions = self._recorder.insert_events(
            stored,
            tracking=Tracking(at.log, at.offset),
            beside=Beside(
                self._epoch, counts, sources, quarantined, self._tree.size, b"".join(hashes), blocks
            ),
        )
        rows = [
            Row(position, str(event.originator_id), event.topic, event.state)
            for position, event in zip(positions or (), stored, strict=True)
        ]
        after, self._head = self._head, rows[-1].position if rows else self._head
        return Commit(after, rows, counts, decided.quarantined)

    def _named(
        self, arrivals: Sequence[Arrival], identities: Sequence[Identity | Refused | None]
    ) -> tuple[list[Identity | Refused | None], dict[bytes, Known]]:
        """The arrivals by names of their streams, and which of these are journalled."""
        found = [
            (place, arrival.read, identity)
            for place, (arrival, identity) in enumerate(zip(arrivals, identities, strict=True))
            if isinstance(identity, Identity) and isinstance(arrival.read, Proposed)
        ]
        known = self.known(identity.key for _, _, identity in found)
        first = {key: where.stream for key, where in known.items()}
        named: list[Identity | Refused | None] = [*identities]
        others: list[bytes] = []
        for place, event, identity in found:
            if first.setdefault(identity.key, event.stream) != event.stream:
                others.append(source_key(event.source, event.id, event.stream))
                named[place] = identity._replace(key=others[-1])
        return named, {**known, **self.known(others)} if others else known

    def find(self, events: Sequence[Named]) -> list[Known | None]:
        """Where each event is recorded by its name and stream, None where it is not."""
        keys = [source_key(event.source, event.id) for event in events]
        known = self.known(keys)
        return [
            self._of_stream(event, known.get(key)) for event, key in zip(events, keys, strict=True)
        ]

    def _of_stream(self, event: Named, first: Known | None) -> Known | None:
        if first is None or first.stream == event.stream:
            return first
        own = source_key(event.source, event.id, event.stream)
        return self.known([own]).get(own)

    def identified(self, events: Sequence[Proposed]) -> list[Identity]:
        """Name and content of events that are recorded here, digested as they were then."""
        subjects = [event.subject for event in events]
        keys = {} if self._keyring is None else self._keyring.to_seal({*filter(None, subjects)})
        return [
            identify(event, subject, keys.get(subject or ""))
            for event, subject in zip(events, subjects, strict=True)
        ]

    def _identified(
        self, read: Sequence[Proposed | Rejected | Refused]
    ) -> list[Identity | Refused | None]:
        """Name, content and key of what could be read.

        Keys are made, and safe, before anything is sealed with them.
        """
        if self._keyring is None:
            return [identify(each) if isinstance(each, Proposed) else None for each in read]
        subjects = [each.subject if isinstance(each, Proposed) else None for each in read]
        keys = self._keyring.get_or_create({*filter(None, subjects)})
        return [
            _identity(each, subject, keys) if isinstance(each, Proposed) else None
            for each, subject in zip(read, subjects, strict=True)
        ]

    def _stored(
        self, fresh: Sequence[Fresh], now: datetime
    ) -> tuple[list[StoredEvent], list[tuple[Any, ...]], list[bytes]]:
        self._load_ends({event.stream for event, _ in fresh})
        stored, sources, hashes = [], [], []
        for event, identity in fresh:
            version, previous = self._ends[event.stream]
            state = _state(event, version + 1, now, previous, identity)
            hashes.append(leaf_hash(state))
            self._ends[event.stream] = End(version + 1, hashes[-1])
            stored.append(
                StoredEvent(event.stream, version + 1, TYPE_BY_EVENT[type(event.data)], state)
            )
            sources.append((identity.key, identity.content, event.stream, version + 1))
        return stored, sources, hashes

    def _load_ends(self, streams: set[str]) -> None:
        if len(self._ends) > ENDS_KEPT:
            self._ends.clear()
        missing = sorted(streams - self._ends.keys())
        self._ends.update(dict.fromkeys(missing, End(0, None)))
        for some in chunks(missing):
            rows = self._recorder.query(ENDS.format(p="{p}", some=placeholders(len(some))), some)
            self._ends.update(
                {stream: End(version, leaf_hash(bytes(state))) for stream, version, state in rows}
            )

    def _grown(self) -> Tree:
        """The tree over all that is recorded, from what is kept of it."""
        tree, head = Tree(), self.head()
        for root in self.blocks():
            tree.append(root, BLOCK_LEVEL)
        for leaf in self.leaves(tree.size):
            tree.append(leaf.hash)
        if tree.size != (self.index_of(head) + 1 if head else 0):
            raise ValueError(
                f"shard {self.number} ends at position {head}, and its tree does not: it was "
                "changed; verify the journal"
            )
        return tree

    def close(self) -> None:
        """Let the database's connections go."""
        self._recorder.datastore.close()

    def head(self) -> int:
        """The position of the last event, 0 if there is none."""
        [(last,)] = self._recorder.query(HEAD.format(p="{p}", position=self._recorder.position))
        return int(last or 0)

    def read(
        self, after: int, limit: int, upto: int | None = None, event_types: Sequence[str] = ()
    ) -> list[Row]:
        """The next rows behind a position, opened, in order.

        Only those of some stored types, if any are named.
        """
        return self.opened(self.stored(after, limit, upto, event_types))

    def events(self, event_types: Sequence[str]) -> Iterator[Recorded]:
        """Every event of some stored types, in order, less those that were forgotten."""
        after = 0
        while rows := self.read(after, CHUNK_EVENTS, event_types=event_types):
            yield from (row.event() for row in rows if row.event_type != FORGOTTEN)
            after = rows[-1].position

    def keys_heard(self) -> int | None:
        """How often keys were changed, as far as is known here, None where nothing is sealed.

        What was opened under another number may be what somebody is no longer to know.
        """
        return None if self._keyring is None else self._keyring.heard()

    def opened(self, rows: Sequence[Row], *, at_the_door: bool = False) -> list[Row]:
        """Rows that can be decoded; in the place of what was forgotten, rows that nobody folds.

        Who judges what comes `at_the_door` reads those of who is restricted too.
        """
        return opened(rows, self._keyring, at_the_door=at_the_door)

    def payloads(self, rows: Sequence[Row]) -> list[tuple[bytes, bytes] | None]:
        """What sealed rows say, with the salts by which that can be checked.

        None for all others, and what was forgotten.
        """
        return payloads(rows, self._keyring)

    def stored(
        self, after: int, limit: int, upto: int | None = None, event_types: Sequence[str] = ()
    ) -> list[Row]:
        """The next rows behind a position as they are stored, in order."""
        among = f"AND topic IN {placeholders(len(event_types))} " if event_types else ""
        sql = READ.format(p="{p}", position=self._recorder.position, among=among)
        bounds = (after, LAST_POSITION if upto is None else upto)
        return list(map(row_of, self._recorder.query(sql, (*bounds, *event_types, limit))))

    def history(
        self,
        stream: str,
        after_version: int = 0,
        limit: int = 1000,
        event_types: Collection[str] = (),
    ) -> list[Recorded]:
        """The events of one stream, in order, less those that were forgotten.

        Only those of some stored types, if any are named.
        """
        while rows := self.rows(stream, after_version, limit):
            wanted = [row for row in rows if not event_types or row.event_type in event_types]
            if found := [row for row in self.opened(wanted) if row.event_type != FORGOTTEN]:
                return [row.event() for row in found]
            after_version += len(rows)
        return []

    def own(self) -> list[Recorded]:
        """The events of the shard's own stream, in order.

        An event or a few a day, which many ask for: what was read once is not read again.
        """
        own = self._own
        while more := self.history(f"shard:{self.number}", own[-1].version if own else 0):
            own = [*own, *more]
        self._own = own
        return own

    def rows(self, stream: str, after_version: int = 0, limit: int = 1000) -> list[Row]:
        """The events of one stream as they are stored, in order."""
        sql = HISTORY.format(p="{p}", position=self._recorder.position)
        return [
            Row(position, stream, event_type, bytes(state))
            for position, event_type, state in self._recorder.query(
                sql, (stream, after_version, limit)
            )
        ]

    def length(self, stream: str) -> int:
        """How many events a stream has: the version of its last."""
        [[length]] = self._recorder.query(LENGTH, (stream,))
        return int(length)

    def firsts(self, streams: Sequence[str]) -> dict[str, int]:
        """By stream, the position of its first event."""
        sql = FIRSTS.format(p="{p}", position=self._recorder.position)
        return {
            str(stream): int(position)
            for some in chunks(streams)
            for stream, position in self._recorder.query(sql + placeholders(len(some)), some)
        }

    def known(self, keys: Iterable[bytes]) -> dict[bytes, Known]:
        """Which of these source keys are journalled, and where."""
        found: dict[bytes, Known] = {}
        for some in chunks(sorted(set(keys))):
            rows = self._recorder.query(KNOWN + placeholders(len(some)), some)
            found.update({key: Known(*rest) for key, *rest in rows})
        return found

    def tracked(self, log: str) -> int:
        """The last offset of a log whose outcome is committed here, -1 if there is none."""
        sql = TRACKED.format(p="{p}", tracking=self._recorder.tracking)
        [(offset,)] = self._recorder.query(sql, (log,))
        return -1 if offset is None else int(offset)

    def leaves(self, begin: int) -> Iterator[Leaf]:
        """The leaves of the tree from an index on, in order."""
        while rows := self._recorder.query(LEAVES_FROM, (begin,)):
            for size, first, hashes in rows:
                count = len(hashes) // HASH
                for number in range(max(0, begin - (size - count)), count):
                    yield Leaf(first + number, bytes(hashes[number * HASH : (number + 1) * HASH]))
                begin = size

    def blocks(self) -> list[bytes]:
        """The roots of the whole blocks of the tree, in order."""
        return [bytes(root) for (root,) in self._recorder.query(BLOCK_ROOTS)]

    def index_of(self, position: int) -> int:
        """Where in the tree the event at a position is; raises `ValueError` if there is none."""
        for size, first, hashes in self._recorder.query(LEAVES_AT, (position,)):
            count = len(hashes) // HASH
            if position < first + count:
                return int(size - count + position - first)
        raise ValueError(
            f"shard {self.number} has no leaf for position {position}: it was begun before events "
            "were proven, or changed; verify the journal"
        )

    def size(self) -> int:
        """The leaves of the tree."""
        [(size,)] = self._recorder.query(SIZE)
        return int(size or 0)

    def ends(self, upto: int, after: str = "", limit: int = 5_000) -> dict[str, End]:
        """The last event of every stream, of those up to a position, stream by stream.

        Those behind the stream `after`.
        """
        sql = ENDS_UPTO.format(p="{p}", position=self._recorder.position)
        return {
            str(stream): End(int(version), leaf_hash(bytes(state)))
            for stream, version, state in self._recorder.query(sql, (after, upto, limit))
        }

    def counts(self) -> Counts:
        """How many arrivals had which outcome, since the shard began."""
        return Counts(**{outcome: int(total) for outcome, total in self._recorder.query(COUNTS)})

    def census(self) -> Census:
        """How much there is of everything that was counted, and the streams that are not whole."""
        [row] = self._recorder.query(CENSUS)
        holes = [
            (str(stream), int(there), int(last))
            for stream, there, last in self._recorder.query(HOLES)
        ]
        events, sources, quarantined, recorded, set_aside = (int(number or 0) for number in row)
        return Census(events, sources, quarantined, recorded, set_aside, holes)

    def streams(self, kind: str) -> list[str]:
        """Every stream of a kind that has an event."""
        return [str(stream) for (stream,) in self._recorder.query(STREAMS, (f"{kind}:%",))]

    def quarantined(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """What is in quarantine, in order of arrival."""
        return taken_out(self._recorder.query(QUARANTINED, (after, limit)), self._keyring)

    def last_set_aside(self, besides: str = "") -> int:
        """The number of the newest entry in quarantine that is not of the log `besides`, or 0."""
        [(number,)] = self._recorder.query(LAST_QUARANTINED, (besides,))
        return int(number or 0)

    def redriven(self, number: int, now: datetime) -> None:
        """Note that something in quarantine was sent to the front door again."""
        self._recorder.change(REDRIVEN, (now.isoformat(), number))


def _identity(
    event: Proposed, subject: str | None, keys: Mapping[str, Key | None]
) -> Identity | Refused:
    if subject is None:
        return identify(event)
    key = keys[subject]  # None of who was forgotten
    return Refused() if key is None else identify(event, subject, key)


def _state(
    event: Proposed, version: int, now: datetime, previous: bytes | None, identity: Identity
) -> bytes:
    """The stored bytes of an event that becomes a version of its stream."""
    if identity.seal is None:
        return closed(head_of(event, version, now, previous), identity.data)
    digest = commitment(identity.data, identity.seal.salt(place_of(event.stream, version)))
    return closed(
        head_of(event, version, now, previous, identity.subject, identity.seal.algorithm, digest),
        identity.data,
        identity.seal,
    )


CHUNK_EVENTS = 1_000
LOOKED_AT = 200
"""Events at the end of a shard by which it is seen whether the keys belong to it."""
HASH = 32
ENDS_KEPT = 500_000
ENDS = (
    "SELECT there.originator_id, there.originator_version, there.state FROM {p}stored_events AS "
    "there JOIN"
    " (SELECT originator_id AS stream, MAX(originator_version) AS last FROM {p}stored_events "
    "WHERE originator_id IN {some} GROUP BY originator_id) AS ends"
    " ON there.originator_id = ends.stream AND there.originator_version = ends.last"
)
ENDS_UPTO = (
    "SELECT there.originator_id, there.originator_version, there.state FROM {p}stored_events AS "
    "there JOIN"
    " (SELECT originator_id AS stream, MAX(originator_version) AS last FROM {p}stored_events"
    " WHERE originator_id > %s AND {position} <= %s GROUP BY originator_id ORDER BY originator_id "
    "LIMIT %s) AS ends"
    " ON there.originator_id = ends.stream AND there.originator_version = ends.last ORDER BY "
    "there.originator_id"
)
LEAVES_FROM = (
    "SELECT size, first_position, hashes FROM {p}leaves WHERE size > %s ORDER BY size LIMIT 100"
)
LEAVES_AT = (
    "SELECT size, first_position, hashes FROM {p}leaves WHERE first_position <= %s ORDER BY "
    "first_position DESC LIMIT 1"
)
BLOCK_ROOTS = "SELECT root FROM {p}blocks ORDER BY number"
SIZE = "SELECT MAX(size) AS size FROM {p}leaves"
LAST_POSITION = 2**63 - 1
HEAD = "SELECT MAX({position}) AS last FROM {p}stored_events"
TRACKED = "SELECT MAX(notification_id) AS last FROM {p}{tracking} WHERE application_name = %s"
READ = (
    "SELECT {position}, originator_id, topic, state FROM {p}stored_events WHERE {position} > %s "
    "AND {position} <= %s {among}ORDER BY {position} LIMIT %s"
)
CENSUS = (
    "SELECT (SELECT COUNT(*) FROM {p}stored_events) AS events, (SELECT COUNT(*) FROM {p}sources) "
    "AS sources,"
    " (SELECT COUNT(*) FROM {p}quarantine) AS quarantined, (SELECT total FROM {p}counts WHERE "
    "outcome = 'recorded') AS recorded,"
    " (SELECT total FROM {p}counts WHERE outcome = 'quarantined') AS set_aside"
)
HOLES = (
    "SELECT originator_id, COUNT(*), MAX(originator_version) FROM {p}stored_events GROUP BY "
    "originator_id HAVING COUNT(*) <> MAX(originator_version)"
)
STREAMS = "SELECT DISTINCT originator_id FROM {p}stored_events WHERE originator_id LIKE %s"
FIRSTS = (
    "SELECT originator_id, {position} FROM {p}stored_events WHERE originator_version = 1 AND "
    "originator_id IN "
)
LENGTH = (
    "SELECT COALESCE(MAX(originator_version), 0) FROM {p}stored_events WHERE originator_id = %s"
)
HISTORY = (
    "SELECT {position}, topic, state FROM {p}stored_events WHERE originator_id = %s AND "
    "originator_version > %s ORDER BY originator_version LIMIT %s"
)
