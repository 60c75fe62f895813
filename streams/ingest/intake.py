"""How do messages become events?

Read, decide, record, publish; one process for any number of shards.

This is the only writer of the shards it owns. It holds nothing that the journal does not: after any
error it stops, and whoever starts it again goes on behind the last offset that the journal has
tracked.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import structlog

from domain.accounts.events import TransactionReversed
from domain.bank.events import DayClosed
from domain.customers.events import IdentitiesMerged, IdentitiesUnmerged
from domain.envelope import Proposed
from domain.event import BANK
from domain.event_types import type_key, type_keys
from domain.tiering.events import TierChanged
from streams.broker.batch import Batch, batches, decode_batch, encode_batch, place_of
from streams.broker.kafka import (
    INTERACTIONS,
    OUTCOME_TOPIC,
    RECORDED,
    Broker,
    ConsumerRebalanceListener,
    KafkaError,
    TopicPartition,
    pace,
)
from streams.broker.routing import shard_of, spread
from streams.ingest.answers import UNKNOWN, Answer, doubt_of_answer
from streams.ingest.cloudevents import STRUCTURED, Item, read_message, write
from streams.ingest.reversals import doubt_of_reversal
from streams.ingest.screening import Screen, last_closed
from streams.ingest.set_aside import entry_told, told
from streams.ingest.signature import Vouching, needs_signature
from streams.journal import Arrival, Counts, Journal, LogOffset, Refused, Rejected
from streams.observability.metrics import (
    COMMIT_EVENTS,
    COMMIT_SECONDS,
    MERGES,
    OUTCOMES,
    OWN_WORD_SET_ASIDE,
    PULSE,
    TAKEN,
    TIER_CHANGES,
)
from streams.observability.tracing import SpanKind, headers, span, traceparents

log = structlog.get_logger()

TIER_CHANGED = type_key(TierChanged)
MERGING = type_keys(IdentitiesMerged, IdentitiesUnmerged)
"""What is counted by its type, because it joins the data of two customers, or parts them."""

TOLD_AT_ONCE = 50
"""Entries in quarantine that are opened at once."""
TOLD_A_TURN = 1_000
"""Entries of a shard of which senders are told before more is taken."""
COMMIT_LIMIT = 1_000
"""Events in one transaction; a message is never split, so that its offset says all of it."""
OFFSETS_EVERY = 5.0
POLL_MS = 1_000
"""How long a turn waits where nothing has come."""
FEW = 200
"""Messages at once, below which the next turn waits for more.

A commit, a message and six saves for a handful of events cost what they do for a thousand.
"""
GATHERING = 0.03
"""Seconds between the beginnings of such turns, at least."""


TRIED = "tierfold-tried"
"""The header that says how often an answer was sent on, because its decision was not recorded."""
TRIES = (b"1", b"2", b"3", b"4", b"5")
"""What it may say. A decision follows its answer by milliseconds, if at all; a turn has thirty."""
NOT_FOR_OTHERS = Rejected("only the bank itself says this, over HTTP or by its commands", "type")


class LogBroken(Exception):
    """The broker lost messages before they were journalled.

    By retention, or because its log was cut.
    """


class Stray(NamedTuple):
    """An event that is to be sent on, and how often it was tried if its decision is missed."""

    event: Proposed
    tried: bytes | None = None


class Intake(ConsumerRebalanceListener):
    """Consumes `interactions`, records in the journal, publishes on `recorded`.

    In a consumer `group` it owns the shards that Kafka gives it; without one it owns them all, at
    once. Either way the journal fences whoever was there before. What the screen forbids is
    refused, and what is our own word is believed if it is vouched for. `fault` is called at named
    points, for tests of crashes; `clock` says when events are recorded, and may go back.
    """

    def __init__(
        self,
        broker: Broker,
        journal: Journal,
        group: str | None,
        screens: Callable[[], Screen],
        vouching: Vouching,
        fault: Callable[[str], None] = lambda _point: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._shards = len(journal)
        self._screens = screens
        self._vouching = vouching
        self._fault = fault
        self._clock = clock
        self._group = group
        self._consumer = broker.consumer(group)
        self._producer = broker.producer()
        self._logs = broker.logs()
        self._tells = broker.has(OUTCOME_TOPIC, len(journal))
        if not self._tells:
            log.warning("senders_not_told", reason=f"no {OUTCOME_TOPIC} with {len(journal)} parts")
        self._published: list[Any] = []
        self._given: list[TopicPartition] = []
        """Partitions that Kafka gave, and whose shards are not claimed yet."""
        self._closing: date | None = None
        self._tellings = deque[Any]()
        self._to_tell: set[int] = set()
        """Shards in which something was set aside that senders may not have been told of."""
        self._told: dict[int, int] = {}
        """By shard, the last entry in quarantine of which its sender was told."""

    def run(self, stop: threading.Event) -> None:
        """Take messages until told to stop.

        Raises whatever broke; the journal then tells where to go on.
        """
        self.begin()
        heard = time.monotonic()
        offsets_due = heard + OFFSETS_EVERY
        try:
            while not stop.is_set():
                begun = time.monotonic()
                if taken := self.turn():
                    heard = time.monotonic()
                pace(self._consumer, heard)
                if 0 < taken < FEW:
                    stop.wait(max(0.0, begun + GATHERING - time.monotonic()))
                if self._group is not None and time.monotonic() > offsets_due:
                    self._consumer.commit()
                    offsets_due = time.monotonic() + OFFSETS_EVERY
        finally:
            self._producer.close(timeout=5)
            self._consumer.close()

    def begin(self) -> None:
        """Join the group, or take all shards."""
        if self._group is not None:
            # trap: joined before it knows the topic, kafka-python may be given nothing, join again, and never see what it is given then  # noqa: E501
            self._consumer.partitions_for_topic(INTERACTIONS)
            self._consumer.subscribe([INTERACTIONS], listener=self)
            return
        every = [TopicPartition(INTERACTIONS, number) for number in self._logs]
        self._consumer.assign(every)
        self._claim(every)

    def turn(self) -> int:
        """Take what has arrived into the journal, and give the number of messages.

        Waits a moment where there is none.
        """
        arrived = self._consumer.poll(timeout_ms=POLL_MS)
        if self._given:
            given, self._given = self._given, []
            self._claim(given)
            self._consumer.resume(*given)
        for partition, messages in arrived.items():
            self._take(partition.partition, messages)
            TAKEN.labels(partition.partition).inc(len(messages))
        if self._to_tell:
            self._tell_some()
        self._check_published()
        PULSE.beat()
        return sum(map(len, arrived.values()))

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Take nothing from them until their shards are claimed.

        Trap: no heartbeat is sent while this is called. Were the shards claimed here, a slow
        broker would have this process put out of its group, again and again.
        """
        self._consumer.pause(*assigned)
        self._given += assigned

    def _claim(self, assigned: Sequence[TopicPartition]) -> None:
        """Claim each shard, publish what was recorded but not published, go on behind the
        tracked offset.
        """
        for partition in assigned:
            number = partition.partition
            shard = self._journal[number]
            self._fault("before_claim")
            shard.claim()
            PULSE.beat()
            self._publish_missed(number)
            self._tell_missed(number)
            self._consumer.seek(
                partition, self._next_offset(partition, shard.tracked(self._logs[number]))
            )
            log.info("shard_claimed", shard=number, head=shard.head())

    def _next_offset(self, partition: TopicPartition, tracked: int) -> int:
        """Where to go on; raises `LogBroken` where messages are gone that the journal
        has not seen.
        """
        first, end = self._broker.offsets([partition.partition])[partition.partition]
        if tracked < 0:
            return first
        if not first <= tracked + 1 <= end and not self._broker.holds(partition, tracked):
            raise LogBroken(
                f"{partition.topic}/{partition.partition} has offsets {first} to {end}, and the "
                f"journal goes on at {tracked + 1}: messages are"
                " gone. Have their senders send again, into a topic made anew"
            )
        return tracked + 1

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Leave the rest to whoever claims a shard next, and fences this process."""
        self._given = [partition for partition in self._given if partition not in revoked]
        self._to_tell -= {partition.partition for partition in revoked}

    def _take(self, partition: int, messages: Sequence[Any]) -> None:
        arrivals, strays, traces = list[Arrival](), list[Stray](), list[str]()
        screen = self._screens()
        for message in messages:
            items, is_ours = (
                read_message(message.key, message.value, message.headers),
                self._vouching.holds(message.value, message.headers),
            )
            traces += traceparents(message.headers)
            for number, item in enumerate(items):
                judged = self._judged(item, screen, arrivals, partition, is_ours=is_ours)
                if (stray := self._stray(item, judged, partition, message)) is not None:
                    strays.append(stray)
                    continue
                sent_with = _sent_with(message, item, judged, is_ours=is_ours)
                arrivals.append(Arrival(message.offset, number, item.raw, judged, sent_with))
            if len(arrivals) >= COMMIT_LIMIT:
                self._commit_under(traces, partition, arrivals, strays, message.offset)
                arrivals, strays, traces = [], [], []
        if arrivals or strays:
            self._commit_under(traces, partition, arrivals, strays, messages[-1].offset)

    def _judged(
        self,
        item: Item,
        screen: Screen,
        before: Sequence[Arrival],
        partition: int,
        *,
        is_ours: bool,
    ) -> Proposed | Rejected | Refused:
        """What was read, unless it must not come in, or is not for its sender to say."""
        if screen.forbids(item):
            return Refused()
        if not isinstance(item.read, Proposed):
            return item.read
        if needs_signature(item.read):
            return item.read if is_ours else NOT_FOR_OTHERS
        event = screen.named(item.read)
        doubt = screen.doubt(event, self._clock(), self._last_closed)
        doubt = doubt or self._of_answer(event) or self._of_reversal(event, before, partition)
        if doubt is None and isinstance(event.data, DayClosed):
            self._closing = max(self._closing or event.data.date, event.data.date)
        return doubt or event

    def _of_reversal(
        self, event: Proposed, before: Sequence[Arrival], partition: int
    ) -> Rejected | None:
        """Why it undoes nothing that was posted, nor is about to be; a stray is judged at home."""
        if not isinstance(event.data, TransactionReversed):
            return None
        if shard_of(event.stream, self._shards) != partition:
            return None
        pending = (each.read for each in before if isinstance(each.read, Proposed))
        return doubt_of_reversal(event, self._journal[partition], pending)

    def _of_answer(self, event: Proposed) -> Rejected | None:
        """Why it is no answer to a decision of ours."""
        if not isinstance(event.data, Answer):
            return None
        own = self._journal[shard_of(event.stream, self._shards)]
        return doubt_of_answer(event, own, self._journal)

    def _last_closed(self, day: date) -> date | None:
        """The last day that ended: recorded, or on its way to the shards.

        The journal is not asked about a day by which one is known to end: each shard gets a copy
        of each.
        """
        if self._closing is not None and day <= self._closing:
            return self._closing
        recorded = last_closed(self._journal)
        return max(filter(None, (recorded, self._closing)), default=None)

    def _stray(
        self, item: Item, judged: Proposed | Rejected | Refused, partition: int, message: Any
    ) -> Stray | None:
        """What is to be sent on: to its own shard, or behind the decision that it answers, which
        may be on its way.
        """
        if judged is UNKNOWN and isinstance(item.read, Proposed):
            tried = next((value for name, value in message.headers if name == TRIED), None)
            again = TRIES.index(tried) + 1 if tried in TRIES else 0
            return Stray(item.read, TRIES[again]) if again < len(TRIES) else None
        if not isinstance(judged, Proposed):
            return None
        home = judged.stream != BANK and shard_of(judged.stream, self._shards) == partition
        return None if home else Stray(judged)

    def _commit_under(
        self,
        traces: Sequence[str],
        partition: int,
        arrivals: list[Arrival],
        strays: list[Stray],
        offset: int,
    ) -> None:
        with span(
            "record",
            traces,
            SpanKind.CONSUMER,
            {"tierfold.shard": partition, "tierfold.arrivals": len(arrivals)},
        ):
            self._commit(partition, arrivals, strays, offset)

    def _commit(
        self, partition: int, arrivals: list[Arrival], strays: list[Stray], offset: int
    ) -> None:
        self._forward(strays)
        self._fault("before_append")
        with COMMIT_SECONDS.time():
            commit = self._journal[partition].record(
                arrivals, LogOffset(self._logs[partition], offset), self._clock(), len(strays)
            )
        self._fault("between_append_and_publish")
        for batch in batches(commit.after, commit.rows):
            self._publish(partition, batch)
        self._fault("after_publish")
        log_commit(partition, commit.counts)
        if commit.set_aside:
            self._to_tell.add(partition)
            self._tell_some()
        OWN_WORD_SET_ASIDE.inc(sum(_is_ours(arrival) for arrival, _ in commit.set_aside))
        for row in commit.rows:
            if row.event_type in MERGING:
                MERGES.labels(row.event_type.partition(".")[0]).inc()
            elif row.event_type == TIER_CHANGED:
                TIER_CHANGES.inc()

    def _forward(self, strays: Sequence[Stray]) -> None:
        """Send strays to their own shards, and wait for that: only then may their
        offset be passed.
        """
        sent = [
            self._send_on(copy, stray.tried)
            for stray in strays
            for copy in spread(stray.event, self._shards)
        ]
        for future in sent:
            future.get(timeout=30)

    def _send_on(self, copy: Proposed, tried: bytes | None) -> Any:
        value = write(copy)
        own = [
            ("content-type", STRUCTURED.encode()),
            self._vouching.header(value),
            *headers(),
            *([(TRIED, tried)] if tried else []),
        ]  # whoever sent it may say it: see `_judged`
        return self._producer.send(
            INTERACTIONS, value=value, partition=shard_of(copy.stream, self._shards), headers=own
        )

    def _publish(self, partition: int, batch: Batch) -> None:
        value = encode_batch(batch)
        ours = self._vouching.header(value, place_of(partition))
        self._published.append(
            self._producer.send(
                RECORDED, value=value, partition=partition, headers=[ours, *headers()]
            )
        )

    def _check_published(self) -> None:
        """Raise if a batch could not be published."""
        while self._published and self._published[0].is_done:
            self._published.pop(0).get(timeout=0)

    def _publish_missed(self, number: int) -> None:
        shard = self._journal[number]
        after, head = self._last_published(number), shard.head()
        if after is None:
            self._publish(number, Batch(head, head, []))
            return
        while rows := shard.stored(after, COMMIT_LIMIT, head):
            for batch in batches(after, rows):
                self._publish(number, batch)
            after = rows[-1].position

    def _tell_missed(self, number: int) -> None:
        """See to it that senders are told what they were not before this process was there."""
        if self._tells:
            with self._no_harm():
                self._told[number] = self._last_told(number)
            self._to_tell.add(number)
            self._tell_some()

    @contextmanager
    def _no_harm(self) -> Iterator[None]:
        """Whoever cannot be told stops nobody: from the first failure on nothing is told."""
        try:
            yield
        except KafkaError as error:
            self._tells = False
            log.warning("senders_not_told", reason=type(error).__name__)

    def _tell_some(self) -> None:
        """Tell senders some of what was set aside of theirs since the last that they were told of.

        The rest has the next turn: what comes in is not kept waiting by many entries.
        """
        with self._no_harm():
            while self._tellings and self._tellings[0].is_done:
                self._tellings.popleft().get(timeout=0)
            for number in [*self._to_tell]:
                self._tell(number)

    def _tell(self, number: int) -> None:
        for _ in range(TOLD_A_TURN // TOLD_AT_ONCE):
            entries = (
                self._journal[number].quarantined(self._told[number], TOLD_AT_ONCE)
                if self._tells
                else []
            )
            if not entries:
                self._to_tell.discard(number)
                return
            for entry in entries:
                value = told(number, entry)
                ours = self._vouching.header(value, OUTCOME_TOPIC)
                self._tellings.append(
                    self._producer.send(
                        OUTCOME_TOPIC,
                        value=value,
                        partition=number,
                        headers=[("content-type", STRUCTURED.encode()), ours],
                    )
                )
            self._told[number] = entries[-1].number

    def _last_published(self, number: int) -> int | None:
        """The position up to which `recorded` has this shard.

        None if the topic has nothing, as after a broker's loss, or nothing of ours at its end.
        """
        last = self._broker.last(RECORDED, number).message
        return decode_batch(last.value).upto if self._vouched(last, place_of(number)) else None

    def _last_told(self, number: int) -> int:
        """The last entry in quarantine of which `outcomes` tells.

        Nobody is told everything once more because a broker has lost it. Where the topic has never
        told of any, that is the last of another log of `interactions`; where it holds none any
        more, or none of ours at its end, the newest there is.
        """
        last, shard = self._broker.last(OUTCOME_TOPIC, number), self._journal[number]
        if last.end == 0:
            return shard.last_set_aside(besides=self._logs[number])
        if self._vouched(last.message, OUTCOME_TOPIC):
            return entry_told(last.message.value) or 0
        return shard.last_set_aside()

    def _vouched(self, message: Any, place: str) -> bool:
        return message is not None and self._vouching.holds(message.value, message.headers, place)


def _is_ours(arrival: Arrival) -> bool:
    """Whether something that was set aside is our own word: read, or of which that is noted."""
    if isinstance(arrival.read, Proposed):
        return needs_signature(arrival.read)
    return '"ours": true' in (arrival.sent_with or "")


def _sent_with(
    message: Any, item: Item, judged: Proposed | Rejected | Refused, *, is_ours: bool
) -> str | None:
    """What there was beside the bytes of what is rejected, as JSON: whether it was our own word.

    Key and headers, if all of the message is rejected.
    """
    if not isinstance(judged, Rejected):
        return None
    said: dict[str, Any] = {"ours": True} if is_ours and isinstance(item.read, Rejected) else {}
    if not message.value or item.raw == message.value:
        said["headers"] = {
            name: (content or b"").decode("utf-8", "replace") for name, content in message.headers
        }
        said["key"] = message.key.decode("utf-8", "replace") if message.key is not None else None
    return json.dumps(said).replace("\\u0000", "?") if said else None


def log_commit(partition: int, counts: Counts) -> None:
    """Say what was committed: counts only, never content."""
    COMMIT_EVENTS.observe(counts.arrived)
    for outcome in counts.__slots__:
        OUTCOMES.labels(outcome).inc(getattr(counts, outcome))
    if counts.quarantined or counts.forwarded or counts.refused:
        log.warning(
            "messages_set_aside",
            shard=partition,
            quarantined=counts.quarantined,
            refused=counts.refused,
            forwarded=counts.forwarded,
        )
    log.debug("batch_recorded", shard=partition, recorded=counts.recorded, already=counts.already)
