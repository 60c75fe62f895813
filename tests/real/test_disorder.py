"""Events twice, late and shuffled, shards that change hands, workers that sleep, clocks that step.

Afterwards each once, in the order in which they came.
"""

import os
import random
import signal
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from deploy.wiring import broker_of, journal_of
from domain.envelope import Proposed
from streams.broker.kafka import INTERACTIONS
from streams.broker.routing import shard_of, spread
from streams.ingest.cloudevents import write
from streams.sources.synth import SOURCE, Bank, synth
from tests.conftest import TIERFOLD, environment_of, wait_until
from tests.real.conftest import Real, write_slowly

pytestmark = pytest.mark.real

SEED = 31
BANK = Bank(customers=250, months=3, seed=SEED)
TWICE, LATE = 0.2, 0.05
LATE_BY = timedelta(days=7)
NEAR = 1_000
POISON = 1_000
HANDS = 3
"""How often the shards change hands."""
FED_FOR = 20.0
"""Seconds over which most of the bank is fed."""
STEPPING_FOR = 30.0
"""Seconds over which most of the bank is fed while clocks step."""
STEPS = (timedelta(hours=2), timedelta(hours=-3), timedelta(days=40), timedelta())
"""Where the wall clock stands meanwhile, from where it belongs."""
CLOCK = Path(__file__).with_name("clock.c")


def disordered(events: Sequence[Proposed], chance: random.Random) -> list[Proposed]:
    """One in five twice, one in twenty seven days late, and each up to so many places from where
    it belongs.
    """
    times = [event.occurred_at for event in events]
    placed: list[tuple[float, Proposed]] = []
    for number, event in enumerate(events):
        late = chance.random() < LATE
        at = bisect_left(times, event.occurred_at + LATE_BY) if late else number
        placed += [
            (at + chance.uniform(0, NEAR), event) for _ in range(1 + (chance.random() < TWICE))
        ]
    return [event for _, event in sorted(placed, key=lambda each: each[0])]


def test_what_comes_twice_late_and_shuffled_to_workers_that_come_and_go(
    beside: Callable[..., Real], tmp_path: Path
) -> None:
    """Each event once, in the order of its first copy; poison is set aside; live is rebuilt.

    Proofs hold; and every fault did happen.
    """
    events = sorted(synth(BANK), key=lambda event: event.occurred_at)
    sent = disordered(events, random.Random(SEED))
    running = beside()
    feeding = subprocess.Popen(
        [*TIERFOLD, "feed", "-", "--json"],
        env=environment_of(running.settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    done = threading.Event()
    writing = threading.Thread(
        target=write_slowly,
        args=(feeding.stdin, [write(event) for event in sent], FED_FOR, done),
        daemon=True,
    )
    writing.start()
    _poison(running)
    before = running.counts().recorded
    taken = [
        _taken_over(running, tmp_path / f"hand-{number}", asleep=number == HANDS - 1)
        for number in range(HANDS)
    ]
    meanwhile = running.counts().recorded - before
    done.set()
    writing.join()
    assert feeding.wait(timeout=300) == 0
    expected = _first_copies(sent, running.settings.shards)
    wait_until(lambda: _recorded(running) == expected, 120)
    running.settle()

    times, counts = [event.occurred_at for event in sent], running.counts()
    late = sum(
        at < latest - LATE_BY for at, latest in zip(times, accumulate(times, max), strict=True)
    )
    print(
        f"{len(events)} events, sent {len(sent)}; {late} later than {LATE_BY}; {counts}; claimed "
        f"by others: {taken}"
    )
    assert meanwhile > len(events) // 4
    assert counts.already >= len(sent) - len(events) > len(events) * TWICE * 0.9
    assert late > len(events) * LATE * 0.9
    assert counts.quarantined == POISON
    assert (running.settings.data_dir / "logs" / "intake.log").read_text().count(
        "shard_claimed"
    ) > running.settings.shards, "they did not come back"
    assert counts.balanced()
    running.must_agree()
    for proof in (("audit", "verify-journal"), ("replay", "verify")):
        assert running.run(*proof).returncode == 0, proof


def test_clocks_that_step_forth_and_back(
    beside: Callable[..., Real], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock of every process that `up` starts steps by hours and weeks while a bank is
    fed: every event once, in order, at whatever time.
    """
    events = sorted(synth(BANK), key=lambda event: event.occurred_at)
    running = beside()
    assert running.stop() == 0
    clock, shim = tmp_path / "clock", tmp_path / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, CLOCK], check=True)
    _step(clock, timedelta())
    with monkeypatch.context() as stepping:
        stepping.setenv("LD_PRELOAD", str(shim))
        stepping.setenv("CLOCK_AHEAD", str(clock))
        running.start()
    feeding = subprocess.Popen(
        [*TIERFOLD, "feed", "-", "--json"],
        env=environment_of(running.settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    done = threading.Event()
    writing = threading.Thread(
        target=write_slowly,
        args=(feeding.stdin, [write(event) for event in events], STEPPING_FOR, done),
        daemon=True,
    )
    writing.start()
    before = running.counts().recorded
    for step in STEPS:
        time.sleep(STEPPING_FOR / (len(STEPS) + 2))
        _step(clock, step)
        wait_until(lambda ahead=step: _recorded_at(running, ahead), 60)
    meanwhile = running.counts().recorded - before
    done.set()
    writing.join()
    assert feeding.wait(timeout=300) == 0
    wait_until(lambda: _recorded(running) == _first_copies(events, running.settings.shards), 120)
    running.settle()

    moments = [
        [event.recorded_at for event in shard.events(())] for shard in journal_of(running.settings)
    ]
    steps = [later - earlier for some in moments for earlier, later in pairwise(some)]
    print(
        f"{len(events)} events; recorded between {min(map(min, moments))} and "
        f"{max(map(max, moments))}; from one to the next {min(steps)} to {max(steps)}"
    )
    assert meanwhile > len(events) // 4
    assert max(steps) > timedelta(days=39)
    assert min(steps) < -timedelta(days=39)
    assert running.counts().balanced()
    running.must_agree()
    for proof in (("audit", "verify-journal"), ("replay", "verify")):
        assert running.run(*proof).returncode == 0, proof


def _step(clock: Path, ahead: timedelta) -> None:
    """Put the wall clock so far ahead of where it belongs."""
    new = clock.with_suffix(".new")
    new.write_text(str(int(ahead.total_seconds())), encoding="ascii")
    new.replace(clock)


def _recorded_at(running: Real, ahead: timedelta) -> bool:
    """Whether an event was recorded while the clock stood so far ahead."""
    moments = (
        event.recorded_at for shard in journal_of(running.settings) for event in shard.events(())
    )
    return any(abs(at - datetime.now(UTC) - ahead) < timedelta(minutes=30) for at in moments)


def _first_copies(sent: Sequence[Proposed], shards: int) -> list[list[str]]:
    """The ids of each shard, in the order in which they came first."""
    found: list[dict[str, None]] = [{} for _ in range(shards)]
    for event in sent:
        for copy in spread(event, shards):
            found[shard_of(copy.stream, shards)].setdefault(copy.id)
    return [list(ids) for ids in found]


def _recorded(running: Real) -> list[list[str]]:
    return [
        [event.id for event in shard.events(()) if event.source == SOURCE]
        for shard in journal_of(running.settings)
    ]


def _poison(running: Real) -> None:
    """Messages that are no events."""
    producer = broker_of(running.settings).producer()
    for number in range(POISON):
        producer.send(
            INTERACTIONS,
            value=b'{"specversion": "1.0", "id": "%d"' % number,
            partition=number % running.settings.shards,
        )
    producer.flush()
    producer.close()


def _taken_over(running: Real, folder: Path, *, asleep: bool) -> int:
    """Another intake and other agents join, fold for a while and leave.

    Those that were there may sleep meanwhile. Gives how many shards were claimed.
    """
    folder.mkdir()
    sleepers = [running.pids()[name] for name in ("intake", "agents")] if asleep else []
    with (
        _stopped(sleepers),
        _another(running, folder, "intake") as log,
        _another(running, folder, "agents"),
    ):
        wanted = running.settings.shards if asleep else 1
        wait_until(lambda: log.read_text().count("shard_claimed") >= wanted, 60)
        time.sleep(1.0)
    return log.read_text().count("shard_claimed")


@contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    """These processes do nothing, and wake up when all is over.

    They believe that they still own what others have taken.
    """
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(1.0)


@contextmanager
def _another(running: Real, folder: Path, name: str) -> Iterator[Path]:
    """One more process of a kind, and its log."""
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*TIERFOLD, name], env=environment_of(running.settings), stdout=said, stderr=said
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait(timeout=30)
