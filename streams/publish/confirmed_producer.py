"""How does an interaction get from here into the journal, in order and whatever breaks?

Sent, confirmed, or sent again.

A broker that keeps nothing acknowledges what it may still lose. So a parcel counts as delivered
only when the journal has tracked its offset; until then it is kept, and after any fault all that is
unconfirmed goes again, in its order. Source ids make the repeats harmless.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

import structlog

from streams.broker.kafka import (
    INTERACTIONS,
    MESSAGE_LIMIT,
    Broker,
    InvalidTopicError,
    KafkaError,
    KafkaProducer,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from streams.ingest.cloudevents import BATCH, STRUCTURED
from streams.ingest.signature import Vouching
from streams.journal import Journal
from streams.observability.tracing import HEADER, headers

log = structlog.get_logger()

PAUSE = 0.01
LONGEST_PAUSE = 0.04
"""Seconds between two looks at what the journal has: longer as long as it has nothing new."""
REFUSED = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError)
"""What the broker refuses for good: sending it again would block all that comes after it."""
SENDABLE = MESSAGE_LIMIT - 64 * 1024
"""Bytes of a message that leave room for its key and headers."""
SUSPICIOUS = 3.0
"""Seconds without progress after which the incarnation of the topic is looked at again."""


class Delivered(NamedTuple):
    """Where a parcel went: its log, and its offset in it."""

    log: str
    offset: int


@dataclass(eq=False, slots=True)
class Message:
    """A message on its way; `floor` is the last offset that was dealt with before it was sent."""

    partition: int
    value: bytes
    headers: list[tuple[str, bytes]]
    key: bytes | None = None
    done: "Future[Delivered]" = field(default_factory=Future)
    sent: Any = None
    floor: int = -1


class ConfirmedProducer:
    """Delivers messages to `interactions` from a thread of its own; one order per partition.

    With a `journal`, delivered means journalled; without one, the broker's word (`acks=all`) is
    enough. Trap: a producer that repeats itself may be told that the broker has a message, at
    offset -1; no journal can confirm that. With a `vouching`, what is submitted is our own word.
    """

    def __init__(
        self, broker: Broker, journal: Journal | None, vouching: Vouching | None = None
    ) -> None:
        self._broker = broker
        self._vouching = vouching
        self._journal = journal
        self._new: deque[Message] = deque()
        self._open: dict[int, deque[Message]] = {}
        self._logs: dict[int, str] = {}
        self._producer: KafkaProducer | None = None
        self._progress = 0.0
        self._pause, self._due = PAUSE, 0.0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self._thread.start()

    def submit(
        self, partition: int, value: bytes, *, batch: bool = False, traces: Sequence[str] = ()
    ) -> "Future[Delivered]":
        """Send a structured CloudEvent, or a batch of them, under the present trace or those it
        comes of; the future is done when it is safe.
        """
        own = [self._vouching.header(value)] if self._vouching else []
        under = [(HEADER, each.encode()) for each in traces] or headers()
        return self.forward(
            partition,
            value,
            [("content-type", (BATCH if batch else STRUCTURED).encode()), *own, *under],
        )

    def forward(
        self,
        partition: int,
        value: bytes,
        headers: list[tuple[str, bytes]],
        key: bytes | None = None,
    ) -> "Future[Delivered]":
        """Send a message as it is, headers, key and all; the future is done when it is safe.

        What no broker will ever take is not sent: its future has the error, and nothing waits
        behind it.
        """
        message = Message(partition, value, headers, key)
        message.done.set_running_or_notify_cancel()  # who stops waiting does not stop the delivery
        if len(value) > SENDABLE:
            message.done.set_exception(
                MessageSizeTooLargeError(
                    f"the message has {len(value)} bytes, and {SENDABLE} is the limit"
                )
            )
            return message.done
        self._new.append(message)
        self._wake.set()
        return message.done

    @property
    def outstanding(self) -> int:
        """How many messages are not yet safe; never too few."""
        return len(self._new) + self._on_their_way

    def close(self, patience: float = 0.0) -> None:
        """Wait for what is on its way as long as patience (seconds) lasts, then stop."""
        deadline = time.monotonic() + patience
        while self.outstanding and time.monotonic() < deadline:
            time.sleep(PAUSE)
        self._closing = True
        self._wake.set()
        self._thread.join(timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing:
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - whatever broke, what is unconfirmed goes again
                log.warning(
                    "delivery_interrupted",
                    error=type(error).__name__,
                    detail=str(error)[:200],
                    outstanding=self.outstanding,
                )
                self._hang_up()
                time.sleep(0.3)
        self._hang_up()

    def _round(self) -> None:
        if not self.outstanding:
            self._wake.wait()
            self._wake.clear()
            self._progress = time.monotonic()
            return
        if self._producer is None:
            self._connect()
        if not self._on_their_way:
            self._pause, self._due = PAUSE, time.monotonic() + PAUSE
        while self._new:
            message = self._new[0]
            self._open.setdefault(message.partition, deque()).append(message)
            self._new.popleft()
            self._send(message)
        if time.monotonic() >= self._due:
            self._pause = PAUSE if self._confirm() else min(2 * self._pause, LONGEST_PAUSE)
            self._due = time.monotonic() + self._pause
        self._wake.wait(max(0.0, self._due - time.monotonic()))
        self._wake.clear()

    def _connect(self) -> None:
        self._logs = self._broker.logs()
        self._producer = self._broker.producer()
        self._progress = time.monotonic()
        for messages in self._open.values():
            for message in messages:
                self._send(message)

    def _send(self, message: Message) -> None:
        assert self._producer is not None
        if self._journal is not None:
            message.floor = self._journal[message.partition].tracked(self._logs[message.partition])
        message.sent = self._producer.send(
            INTERACTIONS,
            value=message.value,
            key=message.key,
            partition=message.partition,
            headers=message.headers,
        )

    def _confirm(self) -> bool:
        """Give word of what is safe by now; whether anything is."""
        before = self._on_their_way
        for partition, messages in self._open.items():
            if messages and messages[0].sent.is_done:
                self._confirm_partition(partition, messages)
        if self.outstanding and time.monotonic() - self._progress > SUSPICIOUS:
            if self._broker.logs() != self._logs:
                raise KafkaError("the topic was made anew")
            self._progress = time.monotonic()
        return self._on_their_way < before

    @property
    def _on_their_way(self) -> int:
        return sum(len(messages) for messages in tuple(self._open.values()))

    def _confirm_partition(self, partition: int, messages: deque[Message]) -> None:
        name = self._logs[partition]
        safe = None if self._journal is None else self._journal[partition].tracked(name)
        while messages and messages[0].sent.is_done:
            try:
                offset = messages[0].sent.get(timeout=0).offset
            except REFUSED as error:
                messages.popleft().done.set_exception(error)
                continue
            if safe is not None and offset < 0:
                raise KafkaError("the broker has it already, and does not say where")
            if safe is not None and offset <= messages[0].floor:
                raise KafkaError("the topic was made anew: it goes on below what was dealt with")
            if safe is not None and offset > safe:
                return
            self._progress = time.monotonic()
            messages[0].done.set_result(Delivered(name, offset))
            messages.popleft()

    def _hang_up(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):  # what it still holds goes again, by the next one
                producer.close(timeout=1)
