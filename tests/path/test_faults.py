"""kill -9, at random moments, of anything, while a bank is fed: afterwards as if
nothing had been.
"""

import asyncio
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from deploy.embedded.supervisor import STUCK
from deploy.wiring import broker_of, journal_of
from projections.customers.group import CUSTOMERS
from projections.redis import RedisStore
from projections.store import GroupShard
from streams.ingest.cloudevents import write
from streams.journal import LogOffset
from streams.sources.synth import Bank, synth
from tests.conftest import NOON, TIERFOLD, Running, environment_of, settings_in, wait_until

pytestmark = pytest.mark.faults

BANK = Bank(customers=400, months=4, seed=7)
MODEL = "model@4"
"""The order in which a model's examples come from several shards is a fact of each run, as
DECISIONS says: there live must equal rebuilt. From one shard there is one order, and two runs must
agree on the model too.
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic bank as a file."""
    path = tmp_path_factory.mktemp("bank") / "bank.jsonl"
    path.write_bytes(b"\n".join(map(write, synth(BANK))))
    return path


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, bank: Path
) -> Callable[[int], dict[str, str]]:
    """The digests of a run with so many shards in which nothing happened, without those that are no
    fact of what was fed.
    """

    @cache
    def run(shards: int) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("undisturbed")
        with Running(settings_in(folder, shards=shards)) as running:
            running.report("feed", str(bank))
            running.settle()
            return comparable(running.report("digest"), shards)

    return run


def comparable(digests: dict[str, str], shards: int) -> dict[str, str]:
    """The digests on which two runs of the same bank must agree."""
    return {name: each for name, each in digests.items() if name != MODEL or shards == 1}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a stack of one's own with these settings, to be disturbed."""
    with ExitStack() as stacks:

        def start(**chosen: object) -> Running:
            return stacks.enter_context(Running(settings_in(tmp_path, **chosen)))

        yield start


def killer(running: Running, name: str) -> Callable[[], None]:
    """What kills one child, or everything and starts it again."""
    if name != "everything":
        return lambda: running.kill(name)

    def kill_all() -> None:
        running.kill_all()
        running.start()

    return kill_all


@pytest.mark.parametrize(
    ("victim", "shards"),
    [
        ("intake", 4),
        ("agents", 4),
        ("broker", 4),
        ("redis", 4),
        ("everything", 4),
        ("agents", 1),
        ("everything", 1),
    ],
)
def test_killed_at_random_moments_while_feeding(
    fresh: Callable[..., Running],
    bank: Path,
    undisturbed: Callable[[int], dict[str, str]],
    victim: str,
    shards: int,
) -> None:
    """Nothing lost, nothing twice, every digest as in an undisturbed run."""
    running = fresh(shards=shards)
    chance, kill, kills = random.Random(victim), killer(running, victim), 0
    feeding = subprocess.Popen(
        [*TIERFOLD, "feed", str(bank), "--json"],
        env=environment_of(running.settings),
        stdout=subprocess.PIPE,
    )
    running.arrive(500)
    while feeding.poll() is None and kills < 3:
        time.sleep(chance.uniform(0.0, 0.6))
        before = running.pids().get(victim)
        kill()
        kills += 1
        _wait_for_another(running, victim, before)
    assert feeding.wait(timeout=240) == 0
    running.settle()

    live = running.must_agree()
    assert kills >= 1
    assert comparable(live, shards) == undisturbed(shards)
    assert running.counts().balanced()


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
    asyncio.run(RedisStore(own_stack.settings.redis_url).clear())
    own_stack.settle()

    assert own_stack.report("digest") == before
    assert own_stack.counts().arrived == arrived, "folding history again sent something"


def fed_after_another_broker(running: Running, first: int, bank: Path) -> None:
    """Feed the bank once another broker is there than the first one."""
    deadline = time.monotonic() + 60
    while running.pids()["broker"] == first:
        assert time.monotonic() < deadline, "the broker was not recycled"
        threading.Event().wait(0.2)
    running.report("feed", str(bank))
    running.settle()


def test_the_broker_is_recycled_past_its_bound_and_nothing_is_lost(
    fresh: Callable[..., Running], bank: Path, undisturbed: Callable[[int], dict[str, str]]
) -> None:
    """A bound that a little feeding exceeds.

    The supervisor starts the broker anew, again and again.
    """
    running = fresh(broker_memory_limit=24_000_000)
    first = running.pids()["broker"]
    running.report("feed", str(bank))
    fed_after_another_broker(running, first, bank)

    assert comparable(running.report("digest"), running.settings.shards) == undisturbed(
        running.settings.shards
    )
    assert running.counts().balanced()


def test_a_broker_without_what_is_journalled_is_recycled(
    fresh: Callable[..., Running], bank: Path, undisturbed: Callable[[int], dict[str, str]]
) -> None:
    """The journal has seen an offset that the broker does not have; what is fed then comes in."""
    running = fresh()
    first, journal = running.pids()["broker"], journal_of(running.settings)
    journal[0].claim()
    journal[0].record([], LogOffset(broker_of(running.settings).logs()[0], 10_000), NOON)
    running.kill("intake")
    fed_after_another_broker(running, first, bank)

    assert comparable(running.report("digest"), running.settings.shards) == undisturbed(
        running.settings.shards
    )


def test_agents_that_are_killed_again_and_again_are_back_within_seconds(
    fresh: Callable[..., Running], bank: Path
) -> None:
    """Ten kills while the bank is fed: between two folds there are never more than ten seconds."""
    running = fresh(shards=2)
    feeding = threading.Thread(target=running.report, args=("feed", str(bank)), daemon=True)
    feeding.start()
    away: list[float] = []
    wait_until(lambda: asyncio.run(_reached(running)) > 0)
    for _ in range(10):
        begun, killed = time.monotonic(), running.pids()["agents"]
        running.kill("agents")
        _wait_for_another(running, "agents", killed)
        before = asyncio.run(_reached(running))
        while asyncio.run(_reached(running)) == before and feeding.is_alive():
            assert time.monotonic() - begun < 60
            time.sleep(0.1)
        away.append(time.monotonic() - begun)
    feeding.join(timeout=300)
    running.settle()

    print(f"away for {sorted(round(each, 1) for each in away)}")
    assert max(away) < 10


def test_agents_that_are_slow_are_left_alone_and_those_that_are_stuck_are_not(
    fresh: Callable[..., Running],
) -> None:
    """Stopped by a signal they use no CPU, and others take their place; the broker goes on."""
    running = fresh(shards=2)
    before = running.pids()
    hogs = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(4)]
    try:
        time.sleep(2 * STUCK)
        slow = running.pids()
    finally:
        for hog in hogs:
            hog.kill()
    os.kill(before["agents"], signal.SIGSTOP)
    deadline = time.monotonic() + 4 * STUCK
    while running.pids()["agents"] == before["agents"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    running.settle()

    assert slow == before
    assert running.pids()["broker"] == before["broker"]


async def _reached(running: Running) -> int:
    """How far the customers are folded, over all shards."""
    store = RedisStore(running.settings.redis_url)
    try:
        shards = range(running.settings.shards)
        return sum(await store.uptos([GroupShard(shard, CUSTOMERS.name) for shard in shards]))
    finally:
        await store.close()
