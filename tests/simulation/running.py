"""One seed from its beginning to its end, and many of them."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path

from structlog.testing import capture_logs

from domain.cases.events import ComplaintOpened
from domain.envelope import Proposed
from domain.event import Interaction
from domain.offers.events import OfferDecided, OfferPresented
from streams.sources.synth import Bank, synth
from tests.simulation.checks import Outcome, check, outcome
from tests.simulation.faults import RATES
from tests.simulation.world import Violation, World

BANKS = 8
DUE = 5
_SHOWN = OfferDecided(
    decision="d",
    channel="app",
    offer="o",
    features={},
    catalogue="synth@1",
    answer_by=date(2026, 1, 31),
)
UNANSWERED = (
    ("customer:100000", _SHOWN),
    ("customer:100000", OfferPresented(decision="d", offer="o", channel="app")),
    ("customer:100001", ComplaintOpened(case="c", text="", channel="call")),
)
"""By stream, a decision that lapses as the last day closes, and a complaint that is open then."""
MEMORY = Path("/dev/shm")
"""A folder in memory, where there is one: a journal is written for every seed."""


@cache
def bank(number: int) -> tuple[Proposed, ...]:
    """The events of a small bank; in one of them something falls due as it closes its days."""
    events = tuple(synth(Bank(customers=3, months=1, seed=number)))
    if number != DUE:
        return events
    *before, last = events
    return (*before, *(_later(last, place, *each) for place, each in enumerate(UNANSWERED)), last)


def _later(last: Proposed, place: int, stream: str, data: Interaction) -> Proposed:
    """An event just before the last day closes."""
    return last._replace(id=f"due-{place}", stream=stream, data=data)


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
        with capture_logs():  # nobody reads what thousands of worlds say
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
