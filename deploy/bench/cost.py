"""What does an event cost on the embedded stack?

CPU microseconds of each process, by the operating system's own accounting, which is steadier than
events a second. Guard and notary work by the second, and the feeder waits by polling: of these, a
slower machine has more an event.
"""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from deploy.bench.parts import REPEATS, Figure
from deploy.bench.path import SETTLED
from deploy.operations.feed import feed_all
from deploy.operations.summary import wait_until_settled
from deploy.settings import Settings
from deploy.wiring import store_of
from streams.queries.health import GUARD

TICKS = os.sysconf("SC_CLK_TCK")
OURSELVES = "feeder and supervisor"
IDLE_SECONDS = 300.0
FEW = 2_000
"""Events of a bank that is idle then."""


def cost(
    stack: Callable[[], AbstractContextManager[Settings]],
    raws: Sequence[bytes],
    peers: dict[str, float],
) -> list[Figure]:
    """CPU microseconds an event, from the first that is fed until all is folded; and the share of a
    core that a stack takes when nothing comes in.

    Peers are in microseconds an event.
    """
    runs = []
    for _ in range(REPEATS):
        with stack() as settings:
            time.sleep(SETTLED)
            before = seconds_of(settings)
            _feed(settings, raws)
            runs.append(_since(before, settings))
    middle = sorted(runs, key=lambda run: sum(run.values()))[REPEATS // 2]
    each = {name: seconds * 1e6 / len(raws) for name, seconds in middle.items()}
    whole = statistics.median(sum(run.values()) for run in runs) * 1e6 / len(raws)
    return [
        Figure("cost_us_an_event", whole, "us", {}, peers),
        *(Figure(f"cost_us_an_event of {name}", each[name], "us") for name in sorted(each)),
        Figure("idle_share_of_a_core", _idle(stack, raws[:FEW]), "cores"),
    ]


def _feed(settings: Settings, raws: Sequence[bytes]) -> None:
    feed_all(settings, raws, lambda _count: None)
    asyncio.run(wait_until_settled(settings))


def seconds_of(settings: Settings) -> dict[str, float]:
    """User and system seconds so far, by process of an embedded stack that this process runs."""
    lines = (settings.data_dir / "pids").read_text(encoding="ascii").split("\n")[:-1]
    children = {name: _cpu_seconds(int(pid)) for name, pid in (line.split() for line in lines)}
    return {**children, OURSELVES: time.process_time()}


def _cpu_seconds(pid: int) -> float:
    """Of a process and of its children that have ended, as Linux tells it (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _since(before: dict[str, float], settings: Settings) -> dict[str, float]:
    return {name: now - before[name] for name, now in seconds_of(settings).items()}


def _idle(stack: Callable[[], AbstractContextManager[Settings]], raws: Sequence[bytes]) -> float:
    """The share of a core of all processes of a small bank, once the guard has been round."""
    with stack() as settings:
        _feed(settings, raws)
        asyncio.run(_guarded(settings, rounds=2))
        before = seconds_of(settings)
        time.sleep(IDLE_SECONDS)
        return sum(_since(before, settings).values()) / IDLE_SECONDS


async def _guarded(settings: Settings, rounds: int) -> None:
    """Wait until the guard has been round so often."""
    store = store_of(settings)
    while _rounds(await store.noted(GUARD)) < rounds:
        await asyncio.sleep(1)
    await store.close()


def _rounds(said: bytes | None) -> int:
    return int(json.loads(said)["rounds"]) if said else 0
