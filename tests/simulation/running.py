"""One seed from its beginning to its end, and many of them."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from unittest.mock import patch

from structlog.testing import capture_logs

from domain.envelope import Proposed
from streams.sources.synth import Bank, synth
from tests.simulation.checks import Outcome, check, outcome
from tests.simulation.faults import RATES
from tests.simulation.world import Violation, World

BANKS = 8
MEMORY = Path("/dev/shm")
"""A folder in memory, where there is one: a journal is written for every seed."""


@cache
def bank(number: int) -> tuple[Proposed, ...]:
    """The events of a small bank."""
    return tuple(synth(Bank(customers=3, months=1, seed=number)))


@cache
def calm(number: int) -> Outcome:
    """What comes of a bank that nobody disturbs."""
    return run(number, bank(number), {}, None)[0]


def run(
    seed: int, events: tuple[Proposed, ...], rates: Mapping[str, float], undisturbed: Outcome | None
) -> tuple[Outcome, Counter[str]]:
    """Run one world, and hold it to what must be; gives what came of it and which faults happened.

    Raises `Violation`.
    """
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    world = World(folder, seed, rates)

    async def live() -> Outcome:
        with (
            patch("streams.folds.shard_fold.time", world.clock),
            capture_logs(),
        ):  # nobody reads what thousands of worlds say
            await world.run(events)
        if undisturbed is not None:
            await check(world, events, undisturbed)
        return await outcome(world)

    try:
        return asyncio.run(live()), world.faults.happened
    except Violation as violation:
        raise Violation(f"seed {seed}: {violation}") from violation
    finally:
        world.journal.close()
        shutil.rmtree(folder)


def simulate(seeds: Iterable[int]) -> tuple[Counter[str], list[str]]:
    """Run these seeds; gives how often which fault happened, and what was violated, by seed."""
    happened, violations = Counter[str](), list[str]()
    for seed in seeds:
        try:
            happened += run(seed, bank(seed % BANKS), RATES, calm(seed % BANKS))[1]
        except Violation as violation:
            violations.append(str(violation))
    return happened, violations
