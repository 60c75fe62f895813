"""How does a subscriber get every notice, in order per subject, whatever the receiver does?

A notice that fails holds up its subject and nobody else. A receiver that is away holds up all; it
is asked with one notice now and then. What was given up is noted by name.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice

import structlog

from domain.notices.subscribers import Subscriber
from streams.observability.metrics import (
    NOTICES_DELIVERED,
    NOTICES_UNDELIVERED,
    NOTICES_WAITING,
    SUBSCRIBER_AWAY,
)
from streams.outbox.checkpoint import Checkpoint, Checkpoints
from streams.outbox.notices import Notice, Place, Source
from streams.outbox.sinks import HandOver, Sink

log = structlog.get_logger()

WINDOW = 10_000
"""Notices that are held at once; what is behind them stays in the journal."""
A_LANE = 50
"""Notices of one subject that are handed over in one go."""
TRIES = 5
"""After which a notice is given up that a receiver refuses by itself."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
KEEP_EVERY = 1.0
HOUR = 3_600.0


class Delivery:
    """Hands notices over to one subscriber, step by step."""

    def __init__(
        self,
        subscriber: Subscriber,
        source: Source,
        sink: Sink,
        checkpoints: Checkpoints,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._subscriber = subscriber
        self._source = source
        self._sink = sink
        self._checkpoints = checkpoints
        self._now = now
        self._kept = checkpoints.read() or Checkpoint()
        self._failing = dict(self._kept.failing)
        self._delivered = self._kept.delivered
        begin = subscriber.begin == "beginning"
        self._read = {
            place: self._kept.upto.get(place, 0 if begin else source.head(place))
            for place in source.logs()
        }
        self._open: dict[str, Counter[int]] = {place: Counter() for place in self._read}
        self._lanes: dict[str, deque[Notice]] = {}
        self._due: dict[str, float] = {}
        self._away_since: float | None = None
        self._pause = self._not_before = self._kept_at = 0.0
        self._pool = ThreadPoolExecutor(subscriber.at_once, f"outbox-{subscriber.name}")
        self._keep()

    def step(self) -> bool:
        """Hand over what is due; whether there was anything."""
        if self._now() < self._not_before:
            return False
        read = self._fill()
        chosen = self._chosen()
        some = [list(islice(self._lanes[each], self._length)) for each in chosen]
        results = list(self._pool.map(self._sink.hand_over, some))
        for subject, notices, result in zip(chosen, some, results, strict=True):
            self._settle(subject, notices, result)
        self._look_whether_away(results)
        idle = not (chosen or read)
        if idle or self._now() - self._kept_at > KEEP_EVERY:
            self._keep()
        NOTICES_WAITING.labels(self._subscriber.name).set(self._waiting)
        return not idle

    def close(self) -> None:
        """Keep how far it is, and hang up."""
        self._pool.shutdown()
        self._keep()
        self._sink.close()

    @property
    def _waiting(self) -> int:
        return sum(map(len, self._lanes.values()))

    @property
    def _length(self) -> int:
        """How many of a subject are handed over in one go: one, as long as nobody answers."""
        return A_LANE if self._away_since is None else 1

    def _fill(self) -> bool:
        """Read on in every log as long as there is room; whether anything was read."""
        moved = False
        for place, after in self._read.items():
            if self._waiting >= WINDOW:
                return moved
            found = self._source.read(place, after)
            for notice in found.notices:
                self._lanes.setdefault(notice.subject, deque()).append(notice)
                self._open[place][notice.place.number] += 1
            moved |= found.upto > after
            self._read[place] = max(after, found.upto)
        return moved

    def _chosen(self) -> list[str]:
        """The subjects whose turn it is; one, as long as nobody answers."""
        now, most = self._now(), self._subscriber.at_once * 4
        if self._away_since is not None and not self._is_given_up(self._away_since):
            most = 1
        due = (each for each in self._lanes if self._due.get(each, 0.0) <= now)
        return list(islice(due, most))

    def _settle(self, subject: str, notices: Sequence[Notice], result: Sequence[HandOver]) -> None:
        for notice, each in zip(notices, result, strict=False):
            if each.is_there:
                self._delivered += 1
                NOTICES_DELIVERED.labels(self._subscriber.name).inc()
                self._done(subject, notice)
            else:
                self._failed(subject, notice, each)

    def _failed(self, subject: str, notice: Notice, result: HandOver) -> None:
        since, tries = self._failing.get(notice.id, (self._now(), 0))
        tries += 1
        since_when = since if self._away_since is None else min(since, self._away_since)
        if self._is_given_up(since_when) or (result.of_notice and tries >= TRIES):
            at = datetime.fromtimestamp(self._now(), UTC).isoformat()
            self._checkpoints.give_up(notice.id, result.why, at, tries)
            NOTICES_UNDELIVERED.labels(self._subscriber.name).inc()
            log.warning("notice_given_up", subscriber=self._subscriber.name, why=result.why)
            self._done(subject, notice)
            return
        self._failing[notice.id] = (since, tries)
        self._due[subject] = self._now() + max(result.wait, _pause_after(tries))

    def _done(self, subject: str, notice: Notice) -> None:
        """A notice is dealt with."""
        self._failing.pop(notice.id, None)
        self._due.pop(subject, None)
        lane = self._lanes[subject]
        lane.popleft()
        if not lane:
            del self._lanes[subject]
        place: Place = notice.place
        self._open[place.log][place.number] -= 1
        if not self._open[place.log][place.number]:
            del self._open[place.log][place.number]

    def _look_whether_away(self, results: Sequence[Sequence[HandOver]]) -> None:
        """Whether the receiver is away: nothing got there, and it was not because of a notice."""
        each = [result for some in results for result in some]
        if any(result.is_there or result.of_notice for result in each):
            self._away_since, self._pause = None, 0.0
        elif each:
            if self._away_since is None:
                self._away_since = self._now()
                log.warning("subscriber_away", subscriber=self._subscriber.name, why=each[0].why)
            self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
            if self._is_given_up(self._away_since):
                self._pause = 0.0
            self._not_before = self._now() + max(self._pause, *(one.wait for one in each), 0.0)
            self._due.clear()
        away = 0.0 if self._away_since is None else self._now() - self._away_since
        SUBSCRIBER_AWAY.labels(self._subscriber.name).set(away)

    def _is_given_up(self, since: float) -> bool:
        return self._now() - since > self._subscriber.give_up_after_hours * HOUR

    def _keep(self) -> None:
        """Keep up to where all is dealt with."""
        upto = {
            place: min(self._open[place], default=number + 1) - 1
            for place, number in self._read.items()
        }
        fresh = Checkpoint(upto, self._delivered, dict(self._failing))
        if fresh != self._kept:
            self._checkpoints.keep(fresh)
            self._kept = fresh
        self._kept_at = self._now()


def _pause_after(tries: int) -> float:
    """Seconds until a notice is tried again: twice as long each time."""
    return float(min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE))
