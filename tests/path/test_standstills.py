"""What stands still is said, nobody waits for it for long, and nothing is made of it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from domain.customers.events import CustomerOnboarded
from domain.event import Interaction
from domain.households.events import HouseholdJoined
from streams.ingest.cloudevents import STRUCTURED, write
from tests.conftest import Running, proposed, settings_in, wait_until

LONG = 10.0
"""Seconds within which every question is answered, whatever stands still."""
TOLD = 20.0
"""Seconds within which readiness knows of a broker that hangs; it is asked every five."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with a household of one."""
    with Running(settings_in(tmp_path_factory.mktemp("standing"))) as made:
        post(made, "customer:1", CustomerOnboarded(source="branch"))
        joined = HouseholdJoined(household="household:1", role="head")
        post(made, "customer:1", joined, "joined")
        made.settle()
        yield made


def post(running: Running, stream: str, said: Interaction, name: str = "first") -> int:
    """The status of one event that is handed in over HTTP."""
    raw = write(proposed(said, f"{stream}/{name}", stream))
    return running.client.post(
        "/v1/interactions", content=raw, headers={"content-type": STRUCTURED}
    ).status_code


@contextmanager
def standing(running: Running, name: str) -> Iterator[None]:
    """One process stands still (SIGSTOP), and goes on afterwards."""
    pid = running.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def asked(running: Running, path: str) -> tuple[int, bool]:
    """How a question is answered, and whether that took long."""
    begun = time.monotonic()
    answer = running.client.get(path)
    return answer.status_code, time.monotonic() - begun > LONG


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/1",
        "/v1/customers/1/tier",
        "/v1/customers/1/next-best-offer",
        "/v1/households/1",
        "/readyz",
    ],
)
def test_redis_that_stands_still_is_waited_for_by_nobody(running: Running, path: str) -> None:
    """Each question is told to try again, and answered as before when it goes on."""
    with standing(running, "redis"):
        during = asked(running, path)
    wait_until(lambda: asked(running, path) == (200, False))

    assert during == (503, False)


def test_a_broker_that_stands_still_is_told_by_readiness(running: Running) -> None:
    """While questions about customers are answered."""
    with standing(running, "broker"):
        wait_until(lambda: asked(running, "/readyz") == (503, False), TOLD)
        said, tier = running.client.get("/readyz").text, asked(running, "/v1/customers/1/tier")
    wait_until(lambda: asked(running, "/readyz") == (200, False))

    assert "broker: " in said
    assert tier == (200, False)


def test_who_was_confirmed_is_never_unknown(running: Running) -> None:
    """Recorded, and not folded: the question is told to come again."""
    with standing(running, "agents"):
        posted = post(running, "customer:2", CustomerOnboarded(source="branch"))
        during = running.client.get("/v1/customers/2")
    wait_until(lambda: asked(running, "/v1/customers/2") == (200, False))

    assert (posted, during.status_code) == (201, 503)
    assert "is not folded yet" in during.text


def test_a_bank_that_forgot_somebody_folds_on_within_seconds(running: Running) -> None:
    """On the embedded default the broker is made anew; whoever comes next is not kept waiting."""
    post(running, "customer:3", CustomerOnboarded(source="branch"))
    running.settle()
    running.report("privacy", "forget", "3", "--by", "li.wei", "--reason", "asked", "--early")
    begun = time.monotonic()
    posted = post(running, "customer:4", CustomerOnboarded(source="branch"))
    wait_until(lambda: running.client.get("/v1/customers/4").status_code == httpx.codes.OK)

    assert posted == 201
    assert time.monotonic() - begun < LONG
