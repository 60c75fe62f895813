"""How does a subscriber get every notice, in order per subject, whatever the receiver does?

A notice that fails holds up its subject and nobody else. A receiver that takes nothing holds up
all; it is asked with one notice now and then, of another subject each time. What was given up is
noted by name.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

import structlog

from domain.notices.subscribers import Subscriber
from streams.observability.metrics import (
    NOTICES_DELIVERED,
    NOTICES_UNDELIVERED,
    NOTICES_UNREAD,
    NOTICES_WAITING,
    SUBSCRIBER_AWAY,
)
from streams.outbox.checkpoint import Checkpoint, Checkpoints
from streams.outbox.notices import Notice, Source
from streams.outbox.sinks import HandOver, Sink

log = structlog.get_logger()

WINDOW = 4_000
"""Notices that are held at once, each log its share; what is behind them stays in the journal."""
A_LANE = 50
"""Notices of one subject that are handed over in one go."""
LANES = 16
"""Subjects for each request at once that have their turn in a step."""
TRIES = 6
"""After which a notice is given up that a receiver refuses by itself, while it takes others."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
KEEP_EVERY = 1.0
OLD = 60.0
"""Seconds after which a notice is read once more before it goes out: somebody may have been
forgotten meanwhile.
"""
HOUR = 3_600.0


class Held(NamedTuple):
    """A notice that is to be handed over, and when it was read; `again` if it had been given up."""

    notice: Notice
    at: float
    again: bool = False


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
        self.name = subscriber.name
        self.stepped = time.monotonic()
        self._patience = subscriber.give_up_after_hours * HOUR
        self._at_once = subscriber.at_once
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
        self._unread: set[str] = set()
        self._lanes: dict[str, deque[Held]] = {}
        self._due: dict[str, float] = {}
        self._away_since: float | None = None
        self._last_taken = self._pause = self._not_before = self._kept_at = 0.0
        self._pool = ThreadPoolExecutor(subscriber.at_once, f"outbox-{subscriber.name}")
        self._keep()

    def step(self) -> bool:
        """Hand over what is due; whether there was anything."""
        self.stepped = time.monotonic()
        moved = False
        if self._now() >= self._not_before:
            self._take_up_again()
            moved = self._fill()
            chosen = self._chosen()
            some = [list(islice(self._lanes[each], self._length)) for each in chosen]
            results = list(self._pool.map(self._handed_over, some))
            self._settle(dict(zip(chosen, results, strict=True)))
            moved |= bool(chosen)
        if not moved or self._now() - self._kept_at > KEEP_EVERY:
            self._keep()
        away = 0.0 if self._away_since is None else self._now() - self._away_since
        SUBSCRIBER_AWAY.labels(self.name).set(away)
        NOTICES_WAITING.labels(self.name).set(self.waiting)
        return moved

    def close(self) -> None:
        """Keep how far it is, and hang up."""
        self._pool.shutdown()
        self._keep()
        self._sink.close()

    @property
    def waiting(self) -> int:
        """How many notices are held."""
        return sum(map(len, self._lanes.values()))

    @property
    def _length(self) -> int:
        """How many of a subject are handed over in one go: one, as long as nothing is taken."""
        return A_LANE if self._away_since is None else 1

    def _take_up_again(self) -> None:
        """Hold what was given up once more, where somebody asked for that."""
        if not self._checkpoints.asked_again():
            return
        held = {each.notice.id for lane in self._lanes.values() for each in lane}
        for letter in self._checkpoints.given_up():
            for notice in self._source.named(letter["id"]) if letter["id"] not in held else ():
                lane = self._lanes.setdefault(notice.subject, deque())
                lane.append(Held(notice, self._now(), again=True))

    def _fill(self) -> bool:
        """Read on in every log as long as it has room; whether anything was read.

        A log that cannot be read keeps no other waiting.
        """
        moved, room = False, WINDOW // max(len(self._read), 1)
        for place, after in self._read.items():
            if self._open[place].total() >= room:
                continue
            try:
                found = self._source.read(place, after)
            except Exception:
                log.exception("notices_not_read", subscriber=self.name, log=place)
                self._unread.add(place)
                continue
            self._unread.discard(place)
            for notice in found.notices:
                held = Held(notice, self._now())
                self._lanes.setdefault(notice.subject, deque()).append(held)
                self._open[place][notice.place.number] += 1
            moved |= found.upto > after
            self._read[place] = max(after, found.upto)
        NOTICES_UNREAD.labels(self.name).set(len(self._unread))
        return moved

    def _chosen(self) -> list[str]:
        """The subjects whose turn it is; one, as long as nothing is taken."""
        now, most = self._now(), 1 if self._away_since is not None else self._at_once * LANES
        due = (each for each in self._lanes if self._due.get(each, 0.0) <= now)
        return list(islice(due, most))

    def _handed_over(self, some: Sequence[Held]) -> list[HandOver]:
        """Hand over the notices of a subject; of whom they tell may be forgotten meanwhile."""
        try:
            if all(self._now() - each.at < OLD for each in some):
                return self._sink.hand_over([each.notice for each in some])
            fresh = self._source.named(some[0].notice.id)
            return self._sink.hand_over(fresh) if fresh else [HandOver(is_there=True)]
        except Exception as error:
            log.exception("notice_not_handed_over", subscriber=self.name)
            return [HandOver(is_there=False, why=type(error).__name__)]

    def _settle(self, results: dict[str, list[HandOver]]) -> None:
        """Note what became of each; first what was taken, then what was not."""
        taken = [
            self._done(subject)
            for subject, result in results.items()
            for each in result
            if each.is_there
        ]
        self._delivered += len(taken)
        NOTICES_DELIVERED.labels(self.name).inc(len(taken))
        if again := [each.notice.id for each in taken if each.again]:
            self._checkpoints.taken(again)
        if taken:
            self._last_taken = self._now()
        failed = {name: some[-1] for name, some in results.items() if not some[-1].is_there}
        self._look_whether_away(bool(taken), failed)
        letters = [letter for name, each in failed.items() if (letter := self._failed(name, each))]
        if letters:
            self._checkpoints.give_up(letters)
            NOTICES_UNDELIVERED.labels(self.name).inc(len(letters))

    def _failed(self, subject: str, result: HandOver) -> dict[str, Any] | None:
        """Put a subject behind all others; its dead letter, if its first notice is given up."""
        name = self._lanes[subject][0].notice.id
        since, tries = self._failing.get(name, (self._now(), 0))
        tries += 1
        is_over = self._now() - since > self._patience and tries >= TRIES
        if self._last_taken >= since and (is_over or (result.refused and tries >= TRIES)):
            log.warning("notice_given_up", subscriber=self.name, notice=name, why=result.why)
            self._done(subject)
            at = datetime.fromtimestamp(self._now(), UTC).isoformat()
            return {"id": name, "why": result.why, "at": at, "tries": tries}
        self._failing[name] = (since, tries)
        self._lanes[subject] = self._lanes.pop(subject)
        self._due[subject] = self._now() + max(result.wait, _pause_after(tries))
        return None

    def _done(self, subject: str) -> Held:
        """The first notice of a subject is dealt with."""
        lane = self._lanes[subject]
        held = lane.popleft()
        if not lane:
            del self._lanes[subject]
        self._failing.pop(held.notice.id, None)
        self._due.pop(subject, None)
        if not held.again:
            of_log, number = self._open[held.notice.place.log], held.notice.place.number
            of_log[number] -= 1
            if not of_log[number]:
                del of_log[number]
        return held

    def _look_whether_away(self, taken: bool, failed: dict[str, HandOver]) -> None:
        """Whether the receiver is away: it takes nothing, and that is not because of one notice."""
        if taken:
            self._away_since, self._pause = None, 0.0
            return
        unanswered = [each for each in failed.values() if not each.answered]
        errors = [each for each in failed.values() if not each.refused]
        if not (unanswered or len(errors) > 1 or (errors and self._away_since is not None)):
            return
        if self._away_since is None:
            self._away_since = self._now()
            log.warning("subscriber_away", subscriber=self.name, why=errors[0].why)
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._not_before = self._now() + max(self._pause, *(each.wait for each in errors))

    def _keep(self) -> None:
        """Keep up to where all is dealt with."""
        upto = {
            place: min(self._open[place], default=number + 1) - 1
            for place, number in self._read.items()
        }
        failing = {name: each for name, each in self._failing.items() if not _is_behind(name, upto)}
        fresh = Checkpoint(upto, self._delivered, failing)
        if fresh != self._kept:
            self._checkpoints.keep(fresh)
            self._kept = fresh
        self._kept_at = self._now()


def _is_behind(name: str, upto: dict[str, int]) -> bool:
    """Whether a notice is dealt with, by its name and how far its log is."""
    log_, shard, number, *_ = name.split("/")
    return int(number) <= upto.get(f"{log_}/{shard}", 0)


def _pause_after(tries: int) -> float:
    """Seconds until a notice is tried again: twice as long each time."""
    return float(min(FIRST_PAUSE * 2 ** min(tries - 1, 20), LONGEST_PAUSE))
