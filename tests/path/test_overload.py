"""More than the machine bears, for a while: it is taken later, and whoever asks is answered."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.embedded.services import memory_of
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in, wait_until
from tests.sizes import sized

pytestmark = pytest.mark.faults

BANK = Bank(customers=sized(300, 12_000), months=4, seed=9)
AT_ONCE, PAUSE = 3, 0.05
"""Callers who ask again and again, and the seconds between two questions of one."""
LARGEST = 1_000_000_000
"""Bytes of memory that no process may need, but the broker, which has a limit of its own."""
SOON = 120.0
"""Seconds after the load in which all is folded."""


@contextmanager
def asking(running: Running, seen: Counter[str]) -> Iterator[None]:
    """Callers who ask what to offer, and count how they were answered."""
    over = threading.Event()

    def ask(number: int) -> None:
        with running.calls() as client:
            while not over.wait(PAUSE):
                customer = 100_000 + number % BANK.customers
                try:
                    answer = client.get(f"/v1/customers/{customer}/next-best-offer")
                    seen[_said(answer)] += 1
                except httpx.TransportError as error:
                    seen[type(error).__name__] += 1
                number += AT_ONCE

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _said(answer: httpx.Response) -> str:
    """How a question was answered; a refusal must say when to ask again.

    Of somebody whose first event was recorded a moment ago nothing is folded: who asks is told so.
    """
    if answer.status_code == 503 and "is not folded yet" in answer.text:
        return "not known yet"
    if answer.status_code == 503:
        return "refused" if "retry-after" in answer.headers else "refused for ever"
    return {200: "answered", 404: "not known yet"}.get(answer.status_code, answer.text)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A stack of one's own."""
    with Running(settings_in(tmp_path / "data")) as made:
        yield made


def test_more_than_the_machine_bears_is_folded_a_little_later(
    running: Running, tmp_path: Path
) -> None:
    """A bank is fed as fast as it goes, again and again, beside callers who ask all the time."""
    seen = Counter[str]()
    events = list(map(write, synth(BANK)))
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(events))
    with asking(running, seen):
        fed = [running.report("feed", str(tmp_path / "bank.jsonl")) for _ in range(3)]
        begun = time.monotonic()
        wait_until(lambda: seen["answered"] > AT_ONCE, SOON)  # a fast machine is fed in a moment
    sizes = {name: memory_of(pid) for name, pid in running.pids().items()}
    running.settle()
    waited = time.monotonic() - begun

    assert waited < SOON
    assert fed[1]["already"] == fed[2]["already"] == fed[0]["sent"], "all is there, once"
    assert running.counts().balanced()
    running.must_agree()
    assert seen.keys() <= {"answered", "not known yet", "refused"}, seen
    assert seen["answered"] > 100 * seen["refused"], seen
    assert sizes.pop("broker") < running.settings.broker_memory_limit * 1.1, "it is made anew then"
    assert max(sizes.values()) < LARGEST, sizes
