"""kill -9, at random moments, of anything, while a bank is fed: afterwards as if nothing had been."""

import asyncio
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from projections.redis import RedisStore
from streams.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import TIERFOLD, Running, environment_of, settings_in

pytestmark = pytest.mark.faults

BANK = Bank(customers=400, months=4, seed=7)
CUSTOMERS = ("profile@1", "ledger@1", "months@1", "tier@1", "offers@1")
"""Folded from what was fed alone, so two runs must agree. The order in which a model's examples come from several
shards is a fact of each run; there live must equal rebuilt."""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic bank as a file."""
    path = tmp_path_factory.mktemp("bank") / "bank.jsonl"
    path.write_bytes(b"\n".join(map(write, synth(BANK))))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, bank: Path) -> Iterator[dict[str, str]]:
    """The digests of a run in which nothing happened."""
    running = Running(settings_in(tmp_path_factory.mktemp("undisturbed")))
    running.start()
    running.report("feed", str(bank))
    running.settle()
    yield running.report("digest")
    running.stop()


def killer(running: Running, name: str) -> Callable[[], None]:
    """What kills one child, or everything and starts it again."""
    if name != "everything":
        return lambda: running.kill(name)

    def kill_all() -> None:
        running.kill_all()
        running.start()

    return kill_all


@pytest.mark.parametrize("victim", ["intake", "agents", "broker", "redis", "everything"])
def test_killed_at_random_moments_while_feeding(own_stack: Running, bank: Path, undisturbed: dict[str, str], victim: str) -> None:
    """Nothing lost, nothing twice, every digest as in an undisturbed run."""
    chance, kill, kills = random.Random(victim), killer(own_stack, victim), 0
    feeding = subprocess.Popen([*TIERFOLD, "feed", str(bank), "--json"], env=environment_of(own_stack.settings), stdout=subprocess.PIPE)
    own_stack.arrive(500)
    while feeding.poll() is None and kills < 3:
        time.sleep(chance.uniform(0.0, 0.6))
        before = own_stack.pids().get(victim)
        kill()
        kills += 1
        _wait_for_another(own_stack, victim, before)
    assert feeding.wait(timeout=240) == 0
    own_stack.settle()

    live = own_stack.report("digest")
    assert kills >= 1
    assert {name: live[name] for name in CUSTOMERS} == {name: undisturbed[name] for name in CUSTOMERS}
    assert live == own_stack.report("digest", "--rebuild")
    assert own_stack.counts().balanced()


def _wait_for_another(running: Running, victim: str, before: int | None) -> None:
    deadline = time.monotonic() + 60
    while running.pids().get(victim) == before and victim != "everything":
        assert time.monotonic() < deadline, f"{victim} was not started again"
        time.sleep(0.05)


def test_read_models_lost_in_silence_come_back(own_stack: Running, bank: Path) -> None:
    """Redis forgets everything while nothing is fed: the agents notice, and fold it again."""
    own_stack.report("feed", str(bank))
    own_stack.settle()
    before, arrived = own_stack.report("digest"), own_stack.counts().arrived
    asyncio.run(RedisStore(own_stack.settings.redis).clear())
    own_stack.settle()

    assert own_stack.report("digest") == before
    assert own_stack.counts().arrived == arrived, "folding history again sent something"


def test_the_broker_is_recycled_past_its_bound_and_nothing_is_lost(tmp_path: Path, bank: Path, undisturbed: dict[str, str]) -> None:
    """A bound that a little feeding exceeds: the supervisor starts the broker anew, again and again."""
    running = Running(settings_in(tmp_path, broker_memory_limit=24_000_000))
    running.start()
    try:
        first = running.pids()["broker"]
        running.report("feed", str(bank))
        deadline = time.monotonic() + 60
        while running.pids()["broker"] == first:
            assert time.monotonic() < deadline, "the broker was not recycled"
            threading.Event().wait(0.2)
        running.report("feed", str(bank))
        running.settle()
        live = running.report("digest")
        assert {name: live[name] for name in CUSTOMERS} == {name: undisturbed[name] for name in CUSTOMERS}
        assert running.counts().balanced()
    finally:
        running.kill_all()
