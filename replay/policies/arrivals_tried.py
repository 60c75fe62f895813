"""What would have been set aside under another arrival policy?

Some of what was recorded, all ends of days and rates, and what is in quarantine, judged once more
under both.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import partial
from itertools import chain
from typing import NamedTuple

from domain.bank.arrival_policy import ArrivalPolicy
from domain.bank.events import DayClosed
from domain.envelope import Proposed
from domain.event_types import type_name
from replay.policies.window import Window, spread
from streams.ingest.cloudevents import read_event
from streams.ingest.screening import Screen
from streams.ingest.signature import needs_signature
from streams.journal import Journal


@dataclass(frozen=True, order=True)
class Effect:
    """Something that is counted over the same history under both policies."""

    what: str
    before: int
    after: int


class Arrived(NamedTuple):
    """Something that was handed in, and when."""

    said: Proposed
    at: datetime


def try_arrivals(
    journal: Journal,
    policies: tuple[ArrivalPolicy, ArrivalPolicy],
    window: Window,
    zone: tzinfo,
    progress: Callable[[int], None],
) -> tuple[Effect, ...]:
    """How many of the arrivals of a window are set aside under each, by type of event and field."""
    counts: Counter[tuple[str, bool]] = Counter()
    screens = [Screen((), policy, zone) for policy in policies]
    closed = partial(_before, sorted(each.date for each in _days(journal)))
    looked_at = 0
    for sent, at in _arrived(journal, window):
        looked_at += 1
        for is_new, screen in zip((False, True), screens, strict=True):
            if (doubt := screen.doubt(sent, at, closed)) is not None:
                counts[f"set aside: {type_name(type(sent.data))}, {doubt.field}", is_new] += 1
        progress(1)
    names = sorted({name for name, _ in counts})
    return (
        Effect("arrivals looked at", looked_at, looked_at),
        *(Effect(name, counts[name, False], counts[name, True]) for name in names),
    )


def _arrived(journal: Journal, window: Window) -> Iterator[Arrived]:
    """What others handed in.

    What is for the whole bank is in each shard's own stream: that of the first has all of it.
    """
    of_bank = (event for event in journal[0].own() if window.has(event.recorded_at))
    recorded = (event for event in spread(journal, window) if not event.stream.startswith("shard:"))
    for event in chain(of_bank, recorded):
        sent = event.proposed()
        if not needs_signature(sent):
            yield Arrived(sent, event.recorded_at)
    yield from _set_aside(journal, window)


def _set_aside(journal: Journal, window: Window) -> Iterator[Arrived]:
    """What is in quarantine and can be read."""
    for shard in journal:
        after = 0
        while entries := shard.quarantined(after):
            for entry in entries:
                at = datetime.fromisoformat(entry.quarantined_at)
                read = read_event(entry.original) if entry.original and window.has(at) else None
                if isinstance(read, Proposed) and not needs_signature(read):
                    yield Arrived(read, at)
            after = entries[-1].number


def _days(journal: Journal) -> Iterator[DayClosed]:
    yield from (event.data for event in journal[0].own() if isinstance(event.data, DayClosed))


def _before(days: list[date], until: date) -> date | None:
    """The last day that ended before another."""
    return max((day for day in days if day < until), default=None)
