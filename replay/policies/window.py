"""Which events of a while are looked at? Some of them, and always the same ones."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from heapq import nsmallest
from operator import attrgetter
from typing import NamedTuple

import msgspec

from domain.envelope import Recorded
from streams.journal import FORGOTTEN, Journal, Shard, part_decoder, recorded_at_of

CHUNK_ROWS = 2_000


class SentBy(msgspec.Struct, gc=False):
    """What the head of a stored event says of where it comes from."""

    source: str


_sent = part_decoder(SentBy)


class Window(NamedTuple):
    """The `days` before a moment (aware); of what was recorded in it `sample` are looked at."""

    until: datetime
    days: int
    sample: int

    def span(self) -> tuple[str, str]:
        """From when until when it lasts."""
        since = self.until - timedelta(days=self.days)
        return since.isoformat(timespec="seconds"), self.until.isoformat(timespec="seconds")

    def has(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return self.until - timedelta(days=self.days) < moment <= self.until

    def places(self, shard: Shard) -> tuple[int, int]:
        """The positions behind the first and up to which a shard recorded in it."""
        since = self.until - timedelta(days=self.days)
        return position_at(shard, since), position_at(shard, self.until)


def position_at(shard: Shard, moment: datetime) -> int:
    """The position of the last event that was recorded by a moment; 0 if there is none."""

    def recorded_at(position: int) -> datetime:
        [row] = shard.stored(position - 1, 1)
        return recorded_at_of(row.state)

    return bisect_right(range(1, shard.head() + 1), moment, key=recorded_at)


class Sampled(NamedTuple):
    """How many events there are, and those that are looked at, in the order of their recording."""

    total: int
    events: list[Recorded]


def drawn(
    journal: Journal, window: Window, event_type: str, source: str
) -> tuple[int, Iterator[Recorded]]:
    """How many events of a stored type and a source a window has, and those that are looked at, in
    no order.

    Which of them follows from their places alone.
    """
    places = [
        (shard.number, position)
        for shard in journal
        for position in _positions(shard, window, event_type, source)
    ]
    chosen = nsmallest(window.sample, places, key=_lot)
    found = (_at(journal[shard], position) for shard, position in chosen)
    return len(places), (event for event in found if event is not None)


def sampled(journal: Journal, window: Window, event_type: str, source: str) -> Sampled:
    """What is drawn, in the order of its recording."""
    total, found = drawn(journal, window, event_type, source)
    return Sampled(total, sorted(found, key=attrgetter("recorded_at", "stream", "version")))


def spread(journal: Journal, window: Window) -> Iterator[Recorded]:
    """Events of any type in a window, as far from one another as the sample lets them be."""
    for shard in journal:
        first, last = window.places(shard)
        count = min(last - first, max(1, window.sample // len(journal)))
        for number in range(count):
            if (event := _at(shard, first + 1 + number * (last - first) // count)) is not None:
                yield event


def _positions(shard: Shard, window: Window, event_type: str, source: str) -> Iterator[int]:
    after, last = window.places(shard)
    while rows := shard.stored(after, CHUNK_ROWS, last, [event_type]):
        yield from (row.position for row in rows if _sent(row.state).source == source)
        after = rows[-1].position


def _lot(place: tuple[int, int]) -> bytes:
    return sha256(repr(place).encode()).digest()


def _at(shard: Shard, position: int) -> Recorded | None:
    """The event at a position; None if nobody may read it any more."""
    [row] = shard.read(position - 1, 1)
    return None if row.event_type == FORGOTTEN else row.event()
