"""How does a file get in?

Events in batches through the front door, in order, until every one is safe.
"""

import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Annotated

import msgspec

from domain.envelope import Proposed
from domain.event import BANK
from streams.broker.routing import shard_of, spread
from streams.ingest.cloudevents import EVENT_LIMIT, read_event, write, write_batch
from streams.journal import Rejected
from streams.publish.confirmed_producer import ConfirmedProducer, Delivered

BATCH_EVENTS = 250
BATCH_BYTES = 256 * 1024
OUTSTANDING = 48
IDLE = 0.1
SENDABLE = 12 * 1024 * 1024
"""Bytes of a line that a broker still takes, so that it ends in quarantine.

A larger one is reported, not sent.
"""


class _Subject(msgspec.Struct):
    subject: Annotated[str, msgspec.Meta(max_length=200)]


_subject = msgspec.json.Decoder(_Subject)
_list = msgspec.json.Decoder(list[msgspec.Raw])
MARK = b"\xef\xbb\xbf"
"""The byte order mark with which some programs begin a file of UTF-8."""


class Parts:
    """What waits to be sent to each shard."""

    def __init__(
        self, producer: ConfirmedProducer, shards: int, progress: Callable[[int], None]
    ) -> None:
        self._producer = producer
        self._shards = shards
        self._progress = progress
        self._waiting: dict[int, list[bytes]] = {shard: [] for shard in range(shards)}
        self._bytes = dict.fromkeys(range(shards), 0)
        self.sent = 0
        self.unsendable = 0

    def add(self, raw: bytes) -> None:
        """Send the JSON of one CloudEvent, or of each of a list, sooner or later.

        One without a usable subject, or too large, goes by itself.
        """
        for one in each_of(raw):
            self._add(one)

    def _add(self, raw: bytes) -> None:
        try:
            subject = _subject.decode(raw).subject
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._alone(raw)
            return
        if len(raw) > EVENT_LIMIT:
            self._alone(raw)
        elif subject == BANK and not isinstance(event := read_event(raw), Rejected):
            for copy in spread(event, self._shards):
                self._queue(shard_of(copy.stream, self._shards), write(copy))
        else:
            self._queue(shard_of(subject, self._shards), raw)

    def flush(self) -> None:
        """Send all that waits."""
        for shard in self._waiting:
            self._send(shard)

    def settle(self) -> None:
        """Wait until everything sent is safe."""
        while self._producer.outstanding:
            time.sleep(0.005)

    def _queue(self, shard: int, raw: bytes) -> None:
        self._waiting[shard].append(raw)
        self._bytes[shard] += len(raw)
        if len(self._waiting[shard]) >= BATCH_EVENTS or self._bytes[shard] >= BATCH_BYTES:
            self._send(shard)

    def _send(self, shard: int) -> None:
        events, self._waiting[shard], self._bytes[shard] = self._waiting[shard], [], 0
        if events:
            self._submit(shard, write_batch(events), len(events), batch=True)

    def _alone(self, raw: bytes) -> None:
        """What cannot be read is still a message, and ends in quarantine.

        Order does not matter to it.
        """
        if len(raw) > SENDABLE:
            self.unsendable += 1
        else:
            self._submit(0, raw, 1, batch=False)

    def _submit(self, shard: int, value: bytes, events: int, *, batch: bool) -> None:
        while self._producer.outstanding >= OUTSTANDING:
            time.sleep(0.002)
        self.sent += events
        self._producer.submit(shard, value, batch=batch).add_done_callback(
            lambda done: self._settled(done, events)
        )

    def _settled(self, done: "Future[Delivered]", events: int) -> None:
        if done.exception() is None:
            self._progress(events)
        else:
            self.unsendable += events


def feed(
    raws: Iterable[bytes | None],
    producer: ConfirmedProducer,
    shards: int,
    progress: Callable[[int], None] = lambda _n: None,
) -> Parts:
    """Send CloudEvents and wait until they are safe.

    None among them means that nothing more is to be had just now.
    """
    parts = Parts(producer, shards, progress)
    for raw in raws:
        if raw is None:
            parts.flush()
        elif raw.strip():
            parts.add(raw)
    parts.flush()
    parts.settle()
    return parts


def each_of(raw: bytes) -> list[bytes]:
    """The members of a JSON list, or the one that is none."""
    if raw.lstrip()[:1] != b"[":
        return [raw]
    try:
        return list(map(bytes, _list.decode(raw)))
    except (msgspec.DecodeError, RecursionError):
        return [raw]


def written(events: Iterable[Proposed]) -> Iterator[bytes]:
    """Events as the JSON of CloudEvents."""
    return map(write, events)


def lines(path: str) -> Iterator[bytes | None]:
    """The lines of a file, without the mark of its encoding.

    For `-` those of standard input, with None whenever it is silent for a moment.
    """
    begun = False
    for line in _lines(path):
        yield line if begun or line is None else line.removeprefix(MARK)
        begun = begun or line is not None


def _lines(path: str) -> Iterator[bytes | None]:
    if path != "-":
        with Path(path).open("rb") as file:
            yield from file
        return
    rest = b""
    while True:
        if not select.select([sys.stdin], [], [], IDLE)[0]:
            yield None
        elif chunk := os.read(sys.stdin.fileno(), 1 << 20):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        else:
            yield rest
            return
