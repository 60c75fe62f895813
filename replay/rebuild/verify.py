"""Is everything still what it was?

Every event as it was recorded, every state what its history comes to.

An event is held to the digest of what its sender said, which was kept beside it in the same
transaction, and to the count of arrivals; a state to its own history, folded again up to a position
between two looks at it, so that the live path goes on meanwhile.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple

import msgspec
import pydantic

from domain.envelope import Recorded
from domain.event_types import TYPE_BY_EVENT
from domain.upcasters import UPCASTERS
from projections.projection import Group, States
from projections.registry import Present, base_of
from projections.store import NEVER, GroupShard, Store, StoredState
from projections.tiering.standing import STANDINGS
from projections.views.history import customers_under
from replay.history.as_of import events_of
from streams.journal import FORGOTTEN, Journal, Newer, Row, Shard
from streams.keyring import NoKey

RANGE = 10_000
"""Positions that one digest covers."""
UNREADABLE = (msgspec.DecodeError, pydantic.ValidationError, UnicodeDecodeError, KeyError, Newer)
"""What decoding bytes may raise that nobody wrote as an event, or that only a newer
release can read.
"""
MISFILED = "says another type than it is filed under"
MENTIONED = 100
"""Findings that are kept in full; the others are counted."""


class Finding(NamedTuple):
    """Something that is not what it was: where, and what is wrong.

    Names streams and positions, never content.
    """

    kind: str
    shard: int
    where: str
    said: str


@dataclass(frozen=True)
class Range:
    """The events of a stretch of a shard.

    How many, and a SHA-256 over their positions and stored bytes.
    """

    shard: int
    after: int
    upto: int
    events: int
    digest: str


@dataclass
class Verdict:
    """What was looked at, and what was found."""

    events: int = 0
    states: int = 0
    ranges: list[Range] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    found: int = 0

    def add(self, findings: Sequence[Finding]) -> None:
        """Count findings, and keep the first of them."""
        self.found += len(findings)
        self.findings += findings[: max(0, MENTIONED - len(self.findings))]


async def verify(
    store: Store,
    journal: Journal,
    present: Present,
    sample: int | None,
    progress: Callable[[int], None] = lambda _n: None,
) -> Verdict:
    """Every event, and every state of every carried version, or those of so many streams a
    shard and group.
    """
    verdict = Verdict()
    for shard in journal:
        for some, findings in events_verified(shard):
            verdict.events += some.events
            verdict.ranges.append(some)
            verdict.add(findings)
            progress(some.events)
        verdict.add(await asyncio.to_thread(counts_verified, shard))
        for group in present.carried:
            streams = await streams_of(store, shard, group)
            async for states, findings in states_verified(
                store, journal, present, group, shard, _some(streams, sample)
            ):
                verdict.states += states
                verdict.add(findings)
                progress(states)
    return verdict


def events_verified(shard: Shard) -> Iterator[tuple[Range, list[Finding]]]:
    """The events of a shard, range by range."""
    for after in range(0, shard.head(), RANGE):
        rows = shard.stored(after, RANGE, after + RANGE)
        yield (
            Range(shard.number, after, after + RANGE, len(rows), _digest(rows)),
            rows_verified(shard, rows),
        )


def rows_verified(shard: Shard, rows: Sequence[Row]) -> list[Finding]:
    """Whether events say what their senders said.

    An event of an old shape is only read: it was noted in that shape.
    """
    events: list[Recorded] = []
    found: list[Finding] = []
    for row in _opened(shard, rows, found):
        try:
            event = row.event()
        except UNREADABLE as error:
            found.append(
                Finding("event", shard.number, f"position {row.position}", _unread(error, row))
            )
            continue
        if event.stream != row.stream:
            found.append(
                Finding(
                    "event",
                    shard.number,
                    f"position {row.position}",
                    "says another stream than it lies in",
                )
            )
        if row.event_type not in UPCASTERS and row.event_type != TYPE_BY_EVENT[type(event.data)]:
            found.append(Finding("event", shard.number, f"position {row.position}", MISFILED))
        if row.event_type not in UPCASTERS:
            events.append(event)
    said = [event.proposed() for event in events]
    noted = zip(events, shard.identified(said), shard.find(said), strict=True)
    for event, identity, there in noted:
        if there is None or (there.stream, there.version) != (event.stream, event.version):
            found.append(
                Finding(
                    "event",
                    shard.number,
                    f"position {event.position}",
                    "was not recorded under this name",
                )
            )
        elif there.content != identity.content:
            found.append(
                Finding(
                    "event",
                    shard.number,
                    f"position {event.position}",
                    "is not what its sender said",
                )
            )
    return found


def _unread(error: Exception, row: Row) -> str:
    """Why an event could not be read, as far as that can be told.

    One of a type that is not known may be newer, or not what it was.
    """
    if not isinstance(error, Newer):
        return "cannot be read"
    return str(error) if error.event_type == row.event_type else MISFILED


def _opened(shard: Shard, rows: Sequence[Row], found: list[Finding]) -> list[Row]:
    """Rows that can be decoded, less those that were forgotten; those that do not
    open are noted.
    """
    try:
        return [row for row in shard.opened(rows) if row.event_type != FORGOTTEN]
    except NoKey:
        raise
    except (ValueError, AttributeError):
        if len(rows) > 1:
            return [row for each in rows for row in _opened(shard, [each], found)]
    found.append(Finding("event", shard.number, f"position {rows[0].position}", "cannot be opened"))
    return []


def counts_verified(shard: Shard) -> list[Finding]:
    """Whether as many events and quarantined entries are there as were counted, and every
    stream is whole.
    """
    census = shard.census()
    found = [
        Finding("count", shard.number, what, f"{there} are there, and {counted} were counted")
        for what, there, counted in (
            ("events", census.events, census.recorded),
            ("source ids", census.sources, census.recorded),
            ("quarantined", census.quarantined, census.set_aside),
        )
        if there != counted
    ]
    if not shard.counts().balanced():
        found.append(
            Finding("count", shard.number, "arrivals", "have not each exactly one outcome")
        )
    return found + [
        Finding("hole", shard.number, stream, f"has {there} events, and the last is number {last}")
        for stream, there, last in census.holes
    ]


async def streams_of(store: Store, shard: Shard, group: Group) -> list[str]:
    """Every stream of a group: those of the journal, and those that only the read models know."""
    journalled = [
        stream for kind in group.kinds for stream in await asyncio.to_thread(shard.streams, kind)
    ]
    kept = {
        stream
        async for some in store.streams(GroupShard(shard.number, group.name))
        for stream in some
    }
    return sorted({*journalled, *kept})


async def states_verified(
    store: Store,
    journal: Journal,
    present: Present,
    group: Group,
    shard: Shard,
    streams: Sequence[str],
) -> AsyncIterator[tuple[int, list[Finding]]]:
    """Whether the states of streams are what their history comes to, one stream at a time.

    Gives how many states were looked at.
    """
    history, own = folded_by(present, group)
    place = GroupShard(shard.number, group.name)
    for stream in streams:
        reached = await store.upto(place)
        kept = await store.load(place, [(part.key, stream) for part in group.parts])
        try:
            sound = await asyncio.to_thread(
                _matches, journal, history, own, group, stream, reached, kept
            )
            said = "is not what its history comes to"
            if sound and not await _due_as_kept(store, place, group, stream, reached, kept):
                sound, said = False, "does not fall due when it should"
        except UNREADABLE as error:
            sound, said = (
                False,
                str(error) if isinstance(error, Newer) else "has a history that cannot be read",
            )
        yield (
            len(kept),
            [] if sound else [Finding("state", shard.number, f"{group.name} {stream}", said)],
        )


async def _due_as_kept(
    store: Store,
    place: GroupShard,
    group: Group,
    stream: str,
    reached: int,
    kept: Sequence[StoredState | None],
) -> bool:
    """Whether a stream stands in the index of what is due as its states say.

    They may have moved on meanwhile: then they are looked at with the next round.
    """
    if not group.is_indexed or not await store.is_indexed(place):
        return True
    expected = [
        StoredState.of(part, 0, part.decode(one.state)).due if one else NEVER
        for part, one in zip(group.parts, kept, strict=True)
    ]
    found = await store.due_of(place, [(part.key, stream) for part in group.parts])
    return found == expected or await store.upto(place) != reached


def folded_by(present: Present, group: Group) -> tuple[Group, Callable[[Any], States]]:
    """What folds a group's history in memory, and how its states are found among those."""
    if base_of(group) != STANDINGS:
        return group, _all
    return customers_under([present.policy_of(group)]), attrgetter("standings")


def _all(states: States) -> States:
    return states


def _matches(
    journal: Journal,
    history: Group,
    own: Callable[[Any], States],
    group: Group,
    stream: str,
    reached: int,
    kept: Sequence[StoredState | None],
) -> bool:
    """Whether states are those of some position from `reached` on.

    They may have moved on while they were read.
    """
    states = history.initial
    for event in events_of(journal, history, stream):
        if event.position > reached and _same(group, own(states), kept):
            return True
        states = history.evolve(states, event)
    return _same(group, own(states), kept)


def _same(group: Group, states: States, kept: Sequence[StoredState | None]) -> bool:
    return all(
        one.state == part.encode(state) if one else state == part.initial
        for part, state, one in zip(group.parts, states, kept, strict=True)
    )


def _digest(rows: Sequence[Row]) -> str:
    total = hashlib.sha256()
    for row in rows:
        total.update(b"%d:%d:" % (row.position, len(row.state)))
        total.update(row.state)
    return total.hexdigest()


def _some(streams: Sequence[str], sample: int | None) -> Sequence[str]:
    if sample is None or sample >= len(streams):
        return streams
    return sorted(Random().sample(streams, sample))  # noqa: S311 - whom to look at, not a secret
