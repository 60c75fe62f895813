"""Whatever the nudges do, the states end where the journal says. Faults are data here."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.accounts import TransactionPosted
from domain.days import DayClosed
from domain.policy import TierPolicy
from domain.recorded import Proposed
from projections.customers import customers_under
from projections.projection import Group
from projections.store import Kept, MemoryStore, Place, Store
from replay.digests import digests
from streams.batch import Batch, batches, decode_batch, encode_batch
from streams.folding import Folding
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import NOON, proposed


def history() -> list[Proposed]:
    """Forty days of three customers, with every end of day."""
    events = []
    for number in range(40):
        day = date(2026, 1, 10) + timedelta(days=number)
        for who in range(3):
            data = TransactionPosted(transaction=f"{number}-{who}", account=f"a{who}", amount=1000 * (who + 1), currency="CNY", kind="card")
            events.append(proposed(data, f"{number}-{who}", f"customer:{who}", day))
        events.append(proposed(DayClosed(date=day), f"day-{number}", "shard:0", day))
    return events


def recorded_batches(journal: Journal, at_once: int = 7) -> list[Batch]:
    """The history in the journal's first shard, and the batches that intake would publish."""
    journal[0].claim()
    found, events = [], history()
    for offset, start in enumerate(range(0, len(events), at_once)):
        arrivals = [Arrival(offset, item, b"", event) for item, event in enumerate(events[start : start + at_once])]
        commit = journal[0].record(arrivals, LogOffset("log", offset), NOON)
        found += batches(commit.after, commit.rows)
    return found


@pytest.fixture
def group(bohai: TierPolicy) -> Group:
    """The group that folds customers."""
    return customers_under(bohai)


async def undisturbed(group: Group, journal: Journal) -> dict[str, str]:
    """The digests of the journal folded in one go."""
    store = MemoryStore()
    await Folding(group, 0, store, journal).catch_up()
    return await digests([group], store, 1)


DELIVERIES = {
    "in order": lambda every: every,
    "each twice": lambda every: [batch for batch in every for _ in range(2)],
    "every third lost": lambda every: [batch for number, batch in enumerate(every) if number % 3] + [every[-1]],
    "all but the last lost": lambda every: every[-1:],
    "backwards": lambda every: every[::-1],
    "all, and all again": lambda every: every + every,
    "the last one first": lambda every: [every[-1], *every],
}


@pytest.mark.parametrize("fault", DELIVERIES)
async def test_states_end_where_the_journal_says(group: Group, sqlite_journal: Journal, store: Store, fault: str) -> None:
    """Late, doubled or lost: a nudge can make a state late, never wrong."""
    delivered = DELIVERIES[fault](recorded_batches(sqlite_journal))
    folding = Folding(group, 0, store, sqlite_journal)
    for batch in delivered:
        await folding.advance(decode_batch(encode_batch(batch)))

    assert await digests([group], store, 1) == await undisturbed(group, sqlite_journal)
    assert await store.upto(Place(0, group.name)) == sqlite_journal[0].head()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(min_value=0, max_value=22), st.booleans()), max_size=25))
async def test_any_delivery_to_any_two_workers_ends_the_same(
    group: Group, tmp_path_factory: pytest.TempPathFactory, deliveries: list[tuple[int, bool]]
) -> None:
    """Two workers that both think the shard is theirs do each other no harm."""
    journal = Journal(f"sqlite://{tmp_path_factory.mktemp('journal')}", 1)
    every = recorded_batches(journal)
    store = MemoryStore()
    workers = [Folding(group, 0, store, journal), Folding(group, 0, store, journal)]
    for number, second in deliveries:
        await workers[second].advance(every[number % len(every)])
    await workers[0].catch_up()

    assert await digests([group], store, 1) == await undisturbed(group, journal)


class Dying(MemoryStore):
    """A store whose worker is killed just before one of its saves."""

    def __init__(self, deadly: int) -> None:
        super().__init__()
        self._saves_left = deadly
        self.died = False

    async def save(self, place: Place, expected: int, upto: int, states: Mapping[tuple[str, str], Kept]) -> bool:
        self._saves_left -= 1
        if self._saves_left == 0:
            self.died = True
            raise ConnectionError("killed")
        return await super().save(place, expected, upto, states)


@pytest.mark.parametrize("deadly", range(1, 9))
async def test_a_crash_before_any_save_counts_nobody_twice(group: Group, sqlite_journal: Journal, deadly: int) -> None:
    """The month ends for some customers, then the worker dies; the next one ends it for the rest."""
    store = Dying(deadly)
    for batch in recorded_batches(sqlite_journal, 50):
        with suppress(ConnectionError):
            await Folding(group, 0, store, sqlite_journal, sweep=1).advance(batch)
    await Folding(group, 0, store, sqlite_journal, sweep=2).catch_up()

    assert store.died
    assert await digests([group], store, 1) == await undisturbed(group, sqlite_journal)


def test_a_batch_fits_a_message(sqlite_journal: Journal) -> None:
    """A large commit leaves in several batches that follow on each other."""
    sqlite_journal[0].claim()
    data = TransactionPosted(transaction="t", account="a", amount=1, currency="CNY", kind="card", counterparty="x" * 300)
    arrivals = [Arrival(0, number, b"", proposed(data, str(number))) for number in range(3000)]
    commit = sqlite_journal[0].record(arrivals, LogOffset("log", 0), NOON)
    parts = list(batches(commit.after, commit.rows))

    assert len(parts) > 1
    assert all(len(encode_batch(part)) < 1_000_000 for part in parts)
    assert [part.after for part in parts] == [0, *(part.upto for part in parts[:-1])]
    assert [row for part in parts for row in part.rows] == commit.rows
