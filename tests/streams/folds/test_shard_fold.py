"""Whatever the nudges do, the states end where the journal says. Faults are data here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.accounts.events import ExchangeRateFixed, TransactionPosted
from domain.bank.events import DayClosed
from domain.cases.events import ComplaintOpened
from domain.envelope import Proposed
from domain.tiering.events import TierOverridden
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import CASES, COMPLAINTS
from projections.customers.group import CUSTOMERS
from projections.projection import Group, Projection
from projections.redis import RedisStore
from projections.store import GroupShard, MemoryStore, Progress, Store, StoredState
from projections.tiering.standing import standings
from replay.rebuild.digests import digests
from replay.rebuild.in_memory import rebuild
from streams.broker.batch import Batch, batches, decode_batch, encode_batch, open_batch
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.journal import FORGOTTEN, Arrival, Journal, LogOffset
from streams.keyring.keyring import LOOK_EVERY
from tests.conftest import NOON, Dying, keyring_in, proposed
from tests.sizes import sized


def history() -> list[Proposed]:
    """Forty days of three customers, with every end of day."""
    events = []
    for number in range(40):
        day = date(2026, 1, 10) + timedelta(days=number)
        for who in range(3):
            data = TransactionPosted(
                transaction=f"{number}-{who}",
                account=f"a{who}",
                amount=1000 * (who + 1),
                currency="USD" if who == 1 else "CNY",
                kind="card",
            )
            events.append(proposed(data, f"{number}-{who}", f"customer:{who}", day))
        if number == 25:
            by_hand = TierOverridden(
                tier="gold", approver="head", reason="known", until=date(2026, 3, 31)
            )
            events.append(proposed(by_hand, "by-hand", "customer:2", day))
        rate = ExchangeRateFixed(
            currency="USD", base="CNY", numerator=700 + number, denominator=100
        )
        events.append(proposed(rate, f"rate-{number}", "shard:0", day))
        events.append(proposed(DayClosed(date=day), f"day-{number}", "shard:0", day))
    return events


def recorded_batches(
    journal: Journal, at_once: int = 7, events: Sequence[Proposed] = ()
) -> list[Batch]:
    """Events, or the history, in the journal's first shard, and the batches that intake would
    publish.
    """
    journal[0].claim()
    found, events = [], events or history()
    for offset, start in enumerate(range(0, len(events), at_once)):
        arrivals = [
            Arrival(offset, item, b"", event)
            for item, event in enumerate(events[start : start + at_once])
        ]
        commit = journal[0].record(arrivals, LogOffset("log", offset), NOON)
        found += batches(commit.after, commit.rows)
    return found


@pytest.fixture
def groups(bohai: TierPolicy) -> list[Group]:
    """The groups that fold customers and their complaints, and one that reads what they
    have folded.
    """
    return [CUSTOMERS, CASES, standings("v", bohai, CUSTOMERS.name, CASES.name)]


def foldings(
    groups: list[Group], store: Store, journal: Journal, broadcast_streams: int = 500
) -> list[ShardFold]:
    """One folding for each group, as an agent keeps them.

    What is derived behind what it is derived from.
    """
    *sources, tiers = groups
    of = {
        group.name: ShardFold(group, 0, store, journal, broadcast_streams=broadcast_streams)
        for group in sources
    }
    return [
        *of.values(),
        DerivedFold(tiers, 0, store, journal, broadcast_streams=broadcast_streams, of=of),
    ]


async def undisturbed(groups: list[Group], journal: Journal) -> dict[str, str]:
    """The digests of the journal folded by the rebuild, which shares no way with these."""
    return await digests(groups, rebuild(groups, journal, processes=1), 1)


DELIVERIES = {
    "in order": lambda every: every,
    "each twice": lambda every: [batch for batch in every for _ in range(2)],
    "every third lost": lambda every: (
        [batch for number, batch in enumerate(every) if number % 3] + [every[-1]]
    ),
    "all but the last lost": lambda every: every[-1:],
    "backwards": lambda every: every[::-1],
    "all, and all again": lambda every: every + every,
    "the last one first": lambda every: [every[-1], *every],
}


@pytest.mark.parametrize("fault", DELIVERIES)
async def test_states_end_where_the_journal_says(
    groups: list[Group], sqlite_journal: Journal, store: Store, fault: str
) -> None:
    """Late, doubled or lost: a nudge can make a state late, never wrong."""
    delivered = DELIVERIES[fault](recorded_batches(sqlite_journal))
    chain = foldings(groups, store, sqlite_journal)
    for batch in delivered:
        for folding in chain:
            await folding.advance(decode_batch(encode_batch(batch)))

    assert await digests(groups, store, 1) == await undisturbed(groups, sqlite_journal)
    assert [await store.upto(GroupShard(0, group.name)) for group in groups] == [
        sqlite_journal[0].head()
    ] * 3


@settings(max_examples=sized(10, 25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(min_value=0, max_value=22), st.booleans()), max_size=25))
async def test_any_delivery_to_any_two_workers_ends_the_same(
    groups: list[Group],
    tmp_path_factory: pytest.TempPathFactory,
    deliveries: list[tuple[int, bool]],
) -> None:
    """Two workers that both think the shard is theirs do each other no harm."""
    journal = Journal(f"sqlite://{tmp_path_factory.mktemp('journal')}", 1)
    every = recorded_batches(journal)
    store = MemoryStore()
    workers = [foldings(groups, store, journal) for _ in range(2)]
    for number, second in deliveries:
        for folding in workers[second]:
            await folding.advance(every[number % len(every)])
    for folding in workers[0]:
        await folding.catch_up()

    assert await digests(groups, store, 1) == await undisturbed(groups, journal)


@pytest.mark.parametrize("deadly", range(1, 15))
async def test_a_crash_before_any_save_counts_nobody_twice(
    groups: list[Group], sqlite_journal: Journal, deadly: int
) -> None:
    """The month ends for some customers, then the worker dies; the next one ends it
    for the rest.
    """
    store = Dying(deadly)
    for batch in recorded_batches(sqlite_journal, 50):
        with suppress(ConnectionError):
            for folding in foldings(groups, store, sqlite_journal, broadcast_streams=1):
                await folding.advance(batch)
    for folding in foldings(groups, store, sqlite_journal, broadcast_streams=2):
        await folding.catch_up()

    assert store.died
    assert await digests(groups, store, 1) == await undisturbed(groups, sqlite_journal)


async def test_what_is_derived_is_never_ahead_of_its_source(
    groups: list[Group], sqlite_journal: Journal
) -> None:
    """A new version that is taken up at any time ends the same.

    Before its source has folded anything, it waits.
    """
    every, store = recorded_batches(sqlite_journal), MemoryStore()
    facts, cases, tiers = foldings(groups, store, sqlite_journal)
    assert await tiers.catch_up() == 0
    for batch in every[: len(every) // 2]:
        await facts.advance(batch)
    assert await tiers.catch_up() == 0
    await cases.catch_up()
    await tiers.catch_up()
    assert (
        await store.upto(GroupShard(0, groups[2].name))
        == await store.upto(GroupShard(0, groups[0].name))
        < sqlite_journal[0].head()
    )
    await facts.catch_up()
    await tiers.catch_up()

    assert await digests(groups, store, 1) == await undisturbed(groups, sqlite_journal)


class Overtaken(MemoryStore):
    """A store in which another worker comes between a worker and its first save.

    Its states are saved, and the position stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.other: Callable[[], Awaitable[object]] | None = None
        self._stays = False

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        other, self.other = self.other, None
        if self._stays and upto != expected.upto:
            raise ConnectionError("killed before it moves")
        if other is not None:
            self._stays = True
            with suppress(ConnectionError):
                await other()
            self._stays = False
        return await super().save(place, expected, upto, states)


async def test_a_worker_that_is_behind_does_not_put_back_what_another_has_folded_further(
    groups: list[Group], sqlite_journal: Journal
) -> None:
    """Two workers fill one version, the slow one a shorter stretch, and their saves come between
    each other.
    """
    every, store = recorded_batches(sqlite_journal), Overtaken()
    facts, cases, slow = foldings(groups, store, sqlite_journal)
    *_, fast = foldings(groups, store, sqlite_journal)
    for batch in every[:17]:  # behind the end of January, before the tier set by hand
        await facts.advance(batch)
    head = sqlite_journal[0].head()
    so_far = await store.upto(GroupShard(0, groups[0].name))
    await facts.catch_up()
    await cases.catch_up()
    store.other = fast.catch_up
    await slow.advance(Batch(so_far, so_far, []))
    await slow.catch_up()

    assert await store.upto(GroupShard(0, groups[2].name)) == head
    assert await digests(groups, store, 1) == await undisturbed(groups, sqlite_journal)


@pytest.mark.parametrize("who", ["customer:1", "customer:2"])
@pytest.mark.parametrize("change", ["destroy", "restrict", "lift"])
async def test_what_was_opened_before_a_key_was_changed_is_not_folded_behind_it(
    groups: list[Group], tmp_path: Path, change: str, who: str
) -> None:
    """An agent that is behind has it opened for longer than forgetting, restricting, lifting wait:
    it brings back nothing, and lacks nothing, also where no row of a batch was for its group.

    One of them has a tier set by hand, which is folded for tiers alone.
    """
    journal = Journal(f"sqlite://{tmp_path}/journal", 1, keyring_in(tmp_path))
    assert journal.keyring is not None
    sealed, store = recorded_batches(journal), MemoryStore()
    if change == "lift":
        journal.keyring.restrict([who])
        await asyncio.sleep(LOOK_EVERY)
    opened = [open_batch(journal[0], encode_batch(batch)) for batch in sealed]
    routed = [
        batch._replace(rows=[row for row in batch.rows if row.event_type != FORGOTTEN])
        for batch in opened
    ]
    getattr(journal.keyring, change)([who])
    await asyncio.sleep(LOOK_EVERY)
    *sources, tiers = foldings(groups, store, journal)
    for batch in routed:
        for folding in sources:
            await folding.advance(batch)
        await tiers.advance(batch)

    assert await digests(groups, store, 1) == await undisturbed(groups, journal)


def test_a_batch_fits_a_message(sqlite_journal: Journal) -> None:
    """A large commit leaves in several batches that follow on each other."""
    sqlite_journal[0].claim()
    data = TransactionPosted(
        transaction="t", account="a", amount=1, currency="CNY", kind="card", counterparty="x" * 300
    )
    arrivals = [Arrival(0, number, b"", proposed(data, str(number))) for number in range(3000)]
    commit = sqlite_journal[0].record(arrivals, LogOffset("log", 0), NOON)
    parts = list(batches(commit.after, commit.rows))

    assert len(parts) > 1
    assert all(len(encode_batch(part)) < 1_000_000 for part in parts)
    assert [part.after for part in parts] == [0, *(part.upto for part in parts[:-1])]
    assert [row for part in parts for row in part.rows] == commit.rows


class Counted(NamedTuple):
    """How many events a customer has."""

    count: int


COUNTS = Group(
    "counts@1",
    ("customer",),
    Counted,
    (Projection("count", 1, 0, lambda count, _: count + 1),),
    lambda states, _: Counted(states.count + 1),
    react=lambda stream, _, after, event: [
        proposed(event.data, f"{event.position} is {after.count}", stream)
    ],
)
"""A group that tells of each event the number that it has for its customer."""


async def test_nothing_is_told_of_states_that_were_lost_meanwhile(
    sqlite_journal: Journal, redis_url: str
) -> None:
    """A customer's states go between a look at the shard and the look at them."""
    every, told = recorded_batches(sqlite_journal, at_once=1), list[str]()

    async def emit(some: Sequence[Proposed]) -> None:
        told.extend(each.id for each in some)

    await ShardFold(COUNTS, 0, MemoryStore(), sqlite_journal, emit).catch_up()
    right = set(told)
    store, first, second = RedisStore(redis_url), every[-5], every[-4]
    await store.clear()
    await ShardFold(COUNTS, 0, store, sqlite_journal, emit).advance(
        Batch(first.after, first.after, [])
    )
    another = ShardFold(COUNTS, 0, store, sqlite_journal, emit)
    await another.advance(first)
    await store.clear()
    await another.advance(second)
    await store.close()

    assert (first.rows[0].stream, second.rows[0].stream) == ("customer:0", "customer:1")
    assert set(told) == right


async def test_what_an_earlier_release_has_folded_falls_due_too(
    sqlite_journal: Journal, redis_url: str
) -> None:
    """Its states were kept without the index of what is due in them: it is made at the start."""
    store, client = RedisStore(redis_url), redis.Redis.from_url(redis_url, protocol=2)
    await store.clear()
    opened = ComplaintOpened(case="c", text="", channel="call")
    january = date(2026, 1, 31)
    sqlite_journal[0].claim()
    for offset, event in enumerate(
        (
            proposed(opened, "c", "customer:1", january),
            proposed(DayClosed(date=january), "d", "shard:0", january),
        )
    ):
        sqlite_journal[0].record([Arrival(offset, 0, b"", event)], LogOffset("log", offset), NOON)
        await ShardFold(CASES, 0, store, sqlite_journal).catch_up()
        client.delete(*client.keys("*:due"))
    client.close()

    assert await digests([CASES], store, 1) == await undisturbed([CASES], sqlite_journal)
    [kept] = await store.load(GroupShard(0, CASES.name), [(COMPLAINTS.key, "customer:1")])
    assert kept is not None
    assert COMPLAINTS.decode(kept.state).disputed[0].open == 1
    await store.close()
