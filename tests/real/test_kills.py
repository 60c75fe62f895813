"""kill -9 of anything, again and again, on Apache Kafka, PostgreSQL and Redis.

Afterwards as if nothing had been.
"""

import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from deploy.wiring import journal_of
from domain.envelope import Proposed
from streams.broker.routing import spread
from streams.ingest.cloudevents import read_event, write
from streams.sources.synth import SOURCE, Bank, synth
from tests.conftest import TIERFOLD, environment_of, wait_until
from tests.path.test_faults import comparable
from tests.real.conftest import Real, write_slowly

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("TIERFOLD_TEST_KILLS", "10"))
EVENTS = int(os.environ.get("TIERFOLD_TEST_EVENTS", "15000"))
A_CUSTOMER = 40
"""Events of a customer of the synthetic bank, at least."""
SEED = int(os.environ.get("TIERFOLD_TEST_SEED", "20"))
OURS = ("intake", "intake-2", "agents", "agents-2", "web", "guard", "notary")
THEIRS = ("kafka-1", "postgres", "redis")
BACK = 60.0
"""Seconds within which whoever was killed is there again."""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first so many events of a synthetic bank, as a file."""
    path = tmp_path_factory.mktemp("bank") / "bank.jsonl"
    path.write_bytes(
        b"\n".join(
            map(
                write,
                islice(synth(Bank(customers=EVENTS // A_CUSTOMER, months=4, seed=SEED)), EVENTS),
            )
        )
    )
    return path


def test_killed_at_random_while_feeding_as_if_nothing_had_been(
    beside: Callable[..., Real], bank: Path
) -> None:
    """Every event recorded once, folded once, all digests as in a run that nobody disturbed.

    And everybody was killed.
    """
    calm = beside(folder="calm", workers=2)
    calm.report("feed", str(bank))
    calm.arrive(EVENTS)
    calm.settle()
    undisturbed, expected = calm.report("digest"), calm.counts()
    calm.stop()
    running = beside(workers=2)
    killed = _kill_while_feeding(running, bank)
    wait_until(lambda: running.counts().recorded >= expected.recorded, 300)
    running.settle()

    live, counts = running.must_agree(), running.counts()
    fed, recorded = (
        _fed(bank, running.settings.shards),
        Counter(
            event.id
            for shard in journal_of(running.settings)
            for event in shard.events(())
            if event.source == SOURCE
        ),
    )
    print(f"seed {SEED}: {EVENTS} events fed, {counts}; killed: {dict(killed)}")
    assert killed.total() == KILLS
    assert set(killed) == {*OURS, *THEIRS}
    assert recorded == fed
    assert (counts.recorded, counts.quarantined, counts.refused) == (expected.recorded, 0, 0)
    assert counts.balanced()
    assert comparable(live, running.settings.shards) == comparable(
        undisturbed, calm.settings.shards
    )
    for proof in (("audit", "verify-journal"), ("replay", "verify")):
        assert running.run(*proof).returncode == 0, proof


def _fed(bank: Path, shards: int) -> Counter[str]:
    """The ids that come in when a bank is fed; what concerns the whole of it comes to
    each shard.
    """
    with bank.open("rb") as lines:
        return Counter(
            copy.id
            for line in lines
            if isinstance(event := read_event(line), Proposed)
            for copy in spread(event, shards)
        )


def _kill_while_feeding(running: Real, bank: Path) -> Counter[str]:
    """Feed the bank part by part, as long as it takes to kill so many.

    Gives who was killed how often.
    """
    fed_meanwhile, chance, killed, lines = (
        0,
        random.Random(SEED),
        Counter[str](),
        bank.read_bytes().split(b"\n"),
    )
    victims = [
        victim
        for _ in range(0, KILLS, len(OURS + THEIRS))
        for victim in chance.sample(OURS + THEIRS, len(OURS + THEIRS))
    ]
    for part, victim in enumerate(victims[:KILLS]):
        some = lines[len(lines) * part // KILLS : len(lines) * (part + 1) // KILLS]
        feeding = subprocess.Popen(
            [*TIERFOLD, "feed", "-", "--json"],
            env=environment_of(running.settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        writing = threading.Thread(target=write_slowly, args=(feeding.stdin, some))
        writing.start()
        time.sleep(chance.uniform(1.0, 2.0))
        fed_meanwhile += feeding.poll() is None
        gone = running.disturb(victim)
        killed[victim] += 1
        _wait_for_another(running, victim, gone)
        writing.join()
        assert feeding.wait(timeout=300) == 0
    assert fed_meanwhile > KILLS // 2, "hardly anything was fed while processes were killed"
    return killed


def _wait_for_another(running: Real, victim: str, gone: int) -> None:
    wait_until(
        lambda: (
            next(
                (each.pid for each in running.parts.programs if each.name == victim),
                running.pids().get(victim),
            )
            not in (None, gone)
        ),
        BACK,
    )
