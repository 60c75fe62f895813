"""Where a member's months are restated, the household comes to something else for everybody."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain.envelope import Proposed
from domain.restatements.scope import Scope
from projections.households.totals import Summed
from replay.restatements.plan import Asked, Plan
from streams.journal import Journal
from tests.conftest import proposed
from tests.sizes import sized
from tests.streams.folds.test_households import (
    FAMILY,
    PEOPLE,
    RULES,
    SHARDS,
    SmallBank,
    closed,
    joins,
    money,
    run,
)

MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04")
SCOPE = Scope(MONTHS)
SEEDS = range(sized(4, 60))


def months(seed: int) -> tuple[list[list[Proposed]], list[list[Proposed]]]:
    """Money of a family, month by month: as it came, and as it would have come in time.

    One joins late, too.
    """
    chance = Random(seed)
    came, in_time = ([[] for _ in MONTHS], [[] for _ in MONTHS])
    for who in PEOPLE[:3]:
        event = joins(who, date(2026, 1, 2), chance.choice([500, 1000]))
        came[0].append(event)
        in_time[0].append(event)
    late = joins(PEOPLE[3], date(2026, 2, 3))
    in_time[1].append(late)
    came[2].append(late)
    for place in range(len(MONTHS) - 1):
        for number, who in enumerate(PEOPLE[:4]):
            day = date(2026, place + 1, 5 + number)
            event = money(who, chance.randrange(1, 400_000), day)
            then = min(place + chance.choice([0, 0, 1, 2]), len(MONTHS) - 1)
            came[then].append(event)
            in_time[place].append(event)
    return came, in_time


@pytest.fixture
def banks(tmp_path: Path) -> Iterator[tuple[SmallBank, SmallBank]]:
    """Two banks without events."""
    journals = [Journal(f"sqlite://{tmp_path}/{name}", SHARDS) for name in ("came", "in-time")]
    yield SmallBank(journals[0]), SmallBank(journals[1])
    for each in journals:
        each.close()


def live(bank: SmallBank, events: Sequence[Sequence[Proposed]]) -> None:
    """Let the months come, each with its end but the last."""
    for month, some in zip(MONTHS, events, strict=True):
        run(bank, some)
        if month != MONTHS[-1]:
            run(bank, closed(month))


def restate(bank: SmallBank, *, taken_back: bool = False) -> None:
    """Restate all that came late, in the order in which the command does."""
    heads = [shard.head() for shard in bank.journal]
    plan = Plan(bank.journal, "r", SCOPE, RULES, heads, taken_back=taken_back)

    def reach(asked: Asked) -> None:
        if (found := plan.outcome(asked)) is not None:
            asyncio.run(bank.record([word(found.stream, found.said)]))
            assert plan.outcome(asked) is None

    for asked in [each for each in plan.alone() if not plan.waits(each, plan.outcome(each))]:
        reach(asked)
    asyncio.run(bank.record([word(whole, said) for whole, said in plan.corrected.words]))
    for asked in plan.together():
        reach(asked)
    run(bank)


def word(stream: str, said: Any) -> Proposed:
    """A word of a restatement."""
    month = getattr(said, "month", "")
    return proposed(said, f"{stream}-{month}-{said.taken_back}", stream, date(2026, 4, 20))


def seen(bank: SmallBank) -> tuple[Any, dict[str, Summed]]:
    """How everybody stands by every rule, and what the family came to."""
    stood = [[bank.standing(rule, who) for rule in RULES] for who in PEOPLE]
    return stood, bank.whole(FAMILY).months


@pytest.mark.parametrize("seed", SEEDS)
def test_a_household_comes_to_what_it_would_have_in_time(
    banks: tuple[SmallBank, SmallBank], seed: int
) -> None:
    """All members stand as if everything had come in time; taken back, as they did."""
    bank, in_time = banks
    came, others = months(seed)
    live(bank, came)
    live(in_time, others)
    before = seen(bank)
    restate(bank)

    assert seen(bank) == seen(in_time)
    restate(bank, taken_back=True)
    assert seen(bank) == before
