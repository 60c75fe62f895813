"""Pipelines as the manuals of Quix Streams and Bytewax show them, that sum payments by customer.

Apart from our code, with versions of their own.

    python pipelines.py quix|bytewax BROKER TOPIC EVENTS BATCH RESULT

reads `EVENTS` events from a topic, `BATCH` in a message, and writes events a second, from the first
to the last, into `RESULT`.
"""

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec


class Amount(msgspec.Struct, gc=False):
    """What of a payment's data is summed."""

    amount: int


class Paid(msgspec.Struct, gc=False):
    """What of a payment's CloudEvent is summed, and by whom."""

    subject: str
    data: Amount


one = msgspec.json.Decoder(Paid)
many = msgspec.json.Decoder(list[Paid])


class Sums:
    """What customers paid; when all events are summed, the result is written and the
    process ends.
    """

    def __init__(self, events: int, result: Path) -> None:
        self._events = events
        self._result = result
        self._sums: dict[str, tuple[int, int]] = {}
        self._seen = 0
        self._begun = self._worked = 0.0

    def add(self, paid: Paid) -> None:
        """One more payment."""
        count, total = self._sums.get(paid.subject, (0, 0))
        self._sums[paid.subject] = (count + 1, total + paid.data.amount)
        self._seen += 1
        if self._seen == 1:
            self._begun, self._worked = time.perf_counter(), time.process_time()
        elif self._seen == self._events:
            rate = self._events / (time.perf_counter() - self._begun)
            cost = (time.process_time() - self._worked) * 1e6 / self._events
            self._result.write_text(f"{rate:.0f} {cost:.3f}", encoding="ascii")
            os._exit(0)


def decoded(value: bytes, at_once: int) -> Iterator[Paid]:
    """The payments in a message."""
    return iter((one.decode(value),)) if at_once == 1 else iter(many.decode(value))


def quix(broker: str, topic: str, at_once: int, sums: Sums) -> None:
    """Quix Streams: a data frame over a topic, with a function applied."""
    from quixstreams import Application

    app = Application(
        broker_address=broker,
        consumer_group=f"peer-quix-{os.getpid()}",
        auto_offset_reset="earliest",
        loglevel="ERROR",
        auto_create_topics=False,
    )
    frame = app.dataframe(app.topic(topic, value_deserializer="bytes", key_deserializer="bytes"))

    def fold(value: bytes) -> None:
        for paid in decoded(value, at_once):
            sums.add(paid)

    frame.update(fold)
    app.run(frame)


def bytewax(broker: str, topic: str, at_once: int, sums: Sums) -> None:
    """Bytewax: a flow from Kafka through a map."""
    import bytewax.operators as op
    from bytewax.connectors.kafka import KafkaSource
    from bytewax.connectors.stdio import StdOutSink
    from bytewax.dataflow import Dataflow
    from bytewax.testing import run_main

    def fold(message: Any) -> bool:
        for paid in decoded(message.value, at_once):
            sums.add(paid)
        return False

    flow = Dataflow("peer")
    read = op.input("read", flow, KafkaSource(broker.split(","), [topic], batch_size=1_000))
    op.output("out", op.filter("fold", read, fold), StdOutSink())
    run_main(flow)


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 100)  # as our own processes have it
    kind, broker, topic, events, at_once, result = sys.argv[1:]
    {"quix": quix, "bytewax": bytewax}[kind](
        broker, topic, int(at_once), Sums(int(events), Path(result))
    )
