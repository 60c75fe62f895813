"""Who sees to it that all subscribers are told? One process, with a thread for each."""

import fcntl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from streams.observability.metrics import PULSE
from streams.outbox.delivery import Delivery

log = structlog.get_logger()

STUCK = 120.0
"""Seconds after which a step that has not ended will not."""
IDLE, BROKEN = 0.2, 2.0
"""Seconds between two looks where there was nothing, or where the journal could not be read."""


class AnotherOutbox(RuntimeError):
    """Another outbox is at work in the same folder."""


def run(deliveries: Sequence[Delivery], stop: threading.Event) -> None:
    """Deliver until told to stop."""
    threads = [
        threading.Thread(target=_deliver, args=(each, stop), daemon=True) for each in deliveries
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(1.0):
        if all(time.monotonic() - each.stepped < STUCK for each in deliveries):
            PULSE.beat()
    for thread in threads:
        thread.join()


def _deliver(delivery: Delivery, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            wait = 0.0 if delivery.step() else IDLE
        except Exception:
            log.exception("delivery_interrupted", subscriber=delivery.name)
            wait = BROKEN
        stop.wait(wait)
    delivery.close()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two who deliver for the same subscribers would tell all twice; raises `AnotherOutbox`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AnotherOutbox(f"another outbox delivers from {folder}") from error
        yield
