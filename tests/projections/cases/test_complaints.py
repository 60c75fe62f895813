"""Complaints are folded apart from months, and a month still says how many were open at its end,
whoever asks and whenever.
"""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.accounts.events import AccountOpened, BalanceReported
from domain.bank.events import DayClosed
from domain.calendar import last_day
from domain.cases.events import ComplaintClosed, ComplaintOpened
from domain.envelope import Proposed
from domain.event import BANK, Interaction
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import CASES, COMPLAINTS
from projections.customers.group import CUSTOMERS
from projections.projection import Group
from projections.store import GroupShard, MemoryStore
from projections.tiering.standing import standings
from projections.views.history import customers_under
from replay.history.as_of import as_of
from replay.rebuild.digests import digests
from replay.rebuild.in_memory import rebuild
from streams.broker.routing import spread
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset

WHO = "customer:1"
OPENED = AccountOpened(account="a", product="p", currency="CNY")
RICH = BalanceReported(account="a", balance=100_000_000, currency="CNY")
POOR = BalanceReported(account="a", balance=0, currency="CNY")


@pytest.fixture
def freezing(bohai: TierPolicy) -> TierPolicy:
    """The shipped rule, but that nobody falls while a complaint is open."""
    return bohai.model_copy(update={"freeze_in_dispute": True})


def ended(month: str) -> tuple[str, date, Interaction]:
    """The end of a month."""
    day = last_day(month)
    return BANK, day, DayClosed(date=day)


def on(day: str, data: Interaction) -> tuple[str, date, Interaction]:
    """Something of the customer's."""
    return WHO, date.fromisoformat(day), data


STORY = [
    on("2026-01-02", OPENED),
    on("2026-01-03", RICH),
    ended("2026-01"),
    on("2026-02-03", ComplaintOpened(case="k", text="slow", channel="call")),
    ended("2026-01"),  # told once more, by another event: January is closed
    on("2026-02-04", POOR),
    ended("2026-02"),
    ended("2026-03"),
    ended("2026-02"),  # and an older one
    on("2026-04-05", ComplaintClosed(case="k", outcome="settled")),
    ended("2026-04"),
]


def record(journal: Journal, offset: int, event: tuple[str, date, Interaction]) -> None:
    """One event into the journal of one shard."""
    stream, day, data = event
    proposed = Proposed(
        "test",
        str(offset),
        stream,
        datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        day,
        data,
    )
    for number, copy in enumerate(spread(proposed, 1)):
        journal[0].record(
            [Arrival(offset, number, b"", copy)],
            LogOffset("log", offset),
            datetime(2026, 5, 1, tzinfo=UTC),
        )


def folds(groups: tuple[Group, ...], store: MemoryStore, journal: Journal) -> list[ShardFold]:
    """What an agent keeps going: sources first."""
    *sources, tiers = groups
    of = {group.name: ShardFold(group, 0, store, journal) for group in sources}
    return [*of.values(), DerivedFold(tiers, 0, store, journal, of=of)]


@pytest.mark.parametrize("every", [1, 3, len(STORY)])
def test_live_rebuilt_and_as_of_agree_whatever_is_told_again(
    tmp_path: Any, freezing: TierPolicy, every: int
) -> None:
    """Folded event by event, some at a time or all at once.

    The months that ended in a dispute are those that the bank closed in one.
    """
    journal, store = Journal(f"sqlite://{tmp_path / 'journal'}", 1), MemoryStore()
    journal[0].claim()
    groups = (CUSTOMERS, CASES, standings("v", freezing, CUSTOMERS.name, CASES.name))
    chain = folds(groups, store, journal)
    for offset, event in enumerate(STORY):
        record(journal, offset, event)
        if (offset + 1) % every == 0:
            for fold in chain:
                asyncio.run(fold.catch_up())
    for fold in chain:
        asyncio.run(fold.catch_up())
    [kept] = asyncio.run(store.load(GroupShard(0, CASES.name), [(COMPLAINTS.key, WHO)]))
    then: Any = as_of(journal, customers_under([freezing]), WHO)
    live, rebuilt = (
        asyncio.run(digests(groups, each, 1))
        for each in (store, rebuild(groups, journal, processes=1))
    )

    assert kept is not None
    assert [tuple(each) for each in COMPLAINTS.decode(kept.state).disputed] == [
        ("2026-01", "2026-02", 1),
        ("2026-02", "2026-03", 1),
    ]
    assert live == rebuilt
    assert then.complaints == COMPLAINTS.decode(kept.state)
    [stood] = asyncio.run(
        store.load(GroupShard(0, groups[2].name), [(groups[2].parts[0].key, WHO)])
    )
    assert stood is not None
    assert then.standings[0] == groups[2].parts[0].decode(stood.state)


def test_nobody_falls_while_a_complaint_is_open(
    tmp_path: Any, bohai: TierPolicy, freezing: TierPolicy
) -> None:
    """The two months in dispute are no misses under a rule that says so, and April is the first.

    Under another one April is the third.
    """
    journal = Journal(f"sqlite://{tmp_path / 'journal'}", 1)
    journal[0].claim()
    for offset, event in enumerate(STORY):
        record(journal, offset, event)
    frozen, free = (as_of(journal, customers_under([policy]), WHO) for policy in (freezing, bohai))

    assert frozen is not None
    assert free is not None
    assert (frozen.standings[0].tier, frozen.standings[0].watch) == ("platinum", 1)
    assert free.standings[0].tier == "mass"
