"""What do more shards and more processes bring?

One, two and four of both: into the journal, and from there into Redis.
"""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from deploy.bench.fold import fold_groups, folded, recorded
from deploy.bench.parts import REPEATS, Figure, events_by_shard, keyring_in, settings_in, started
from deploy.embedded import services as embedded
from deploy.settings import Settings
from projections.redis import RedisStore
from replay.rebuild.workers import die_with_parent
from streams.journal import Journal
from streams.sources.synth import Bank

BANK = Bank(customers=2_000, months=4, seed=1)
WIDTHS = (1, 2, 4)
"""Shards, each with a process of its own."""


COMING, WAKING = 5.0, 0.5
"""Seconds in which new processes have come, and those that are there have heard."""


class Done(NamedTuple):
    """When something was begun and ended, by the clock that all processes of a machine share, and
    what came of it.
    """

    begun: float
    ended: float
    found: Any = None


def scaling() -> list[Figure]:
    """Events a second, recorded and folded, by one, two and four shards and processes.

    Each beside one.
    """
    rates = [[_rates(width) for _ in range(REPEATS)] for width in WIDTHS]
    figures = []
    for place, name in enumerate(("record", "fold")):
        first, *_ = medians = [median(each[place] for each in some) for some in rates]
        figures += [
            Figure(
                f"scaling_{name}_{width}",
                rate,
                "events/s",
                {} if width == 1 else {"one shard and process": first},
            )
            for width, rate in zip(WIDTHS, medians, strict=True)
        ]
    return figures


def _rates(width: int) -> tuple[float, float]:
    events = events_by_shard(BANK, width)
    count = sum(map(len, events.values()))
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(
            width, multiprocessing.get_context("spawn"), die_with_parent
        ) as processes,
    ):
        folder = Path(name)
        settings = settings_in(folder)
        journal = Journal(f"sqlite://{folder}/journal", width, keyring_in(folder))
        at = time.perf_counter() + COMING
        made = [
            each.result()
            for each in [
                processes.submit(_record, journal, shard, raws, at)
                for shard, raws in events.items()
            ]
        ]
        address = settings.redis.removeprefix("redis://").removesuffix("/0")
        with started(embedded.redis_command(settings, folder), folder / "redis.log", address):
            at = time.perf_counter() + WAKING
            ended = [
                processes.submit(_fold, settings, journal, shard, done.found, at)
                for shard, done in zip(events, made, strict=True)
            ]
            return count / _seconds(made), count / _seconds([each.result() for each in ended])


def _record(journal: Journal, shard: int, raws: list[bytes], at: float) -> Done:
    begun = _together(at)
    found = recorded(journal, shard, raws)
    return Done(begun, time.perf_counter(), found)


def _fold(
    settings: Settings, journal: Journal, shard: int, messages: list[bytes], at: float
) -> Done:
    async def fold() -> Done:
        store, begun = RedisStore(settings.redis), _together(at)
        await folded(store, fold_groups(settings), journal, {shard: messages})
        ended = time.perf_counter()
        await store.close()
        return Done(begun, ended)

    return asyncio.run(fold())


def _together(at: float) -> float:
    """Wait until all have come, so that each has a process of its own, and nobody's start counts.

    Gives when that is.
    """
    time.sleep(max(0.0, at - time.perf_counter()))
    return time.perf_counter()


def _seconds(all_: Iterable[Done]) -> float:
    some = list(all_)
    return max(each.ended for each in some) - min(each.begun for each in some)
