"""Filled in long stretches, in memory or step by step.

The states are the ones that one event after the other makes.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from projections.customers.group import CUSTOMERS
from projections.models.group import MODELS
from projections.offers.group import REACTIONS
from projections.projection import Group
from projections.store import GroupShard, MemoryStore, Store
from replay.rebuild.digests import digests
from replay.rebuild.in_place import fill
from replay.rebuild.reader import Reader, folded_on, streams_in
from streams.broker.routing import shard_of, spread
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from streams.sources.synth import Bank, synth
from tests.conftest import NOON, Dying
from tests.sizes import sized

SHARDS = 2
GROUPS = (CUSTOMERS, REACTIONS, MODELS)
every_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """Four months of a synthetic bank, with couples, joint accounts and dollars."""
    made = Journal(f"sqlite://{tmp_path_factory.mktemp('journal')}", SHARDS)
    copies = [copy for event in synth(Bank(40, 4, 2)) for copy in spread(event, SHARDS)]
    for shard in made:
        shard.claim()
        own = [event for event in copies if shard_of(event.stream, SHARDS) == shard.number]
        shard.record(
            [Arrival(0, number, b"", event) for number, event in enumerate(own)],
            LogOffset("log", 0),
            NOON,
        )
    yield made
    made.close()


async def one_by_one(group: Group, journal: Journal) -> dict[str, str]:
    """The digests of what the live folding makes, a few rows at a time."""
    store = MemoryStore()
    for shard in journal:
        await ShardFold(group, shard.number, store, journal, at_once=7).catch_up()
    return await digests([group], store, SHARDS)


@every_group
async def test_long_stretches_make_what_the_live_folding_makes(
    group: Group, journal: Journal, store: Store
) -> None:
    """Into any store; afterwards the position is that of the journal."""
    for shard in journal:
        await fill(group, shard.number, journal, store, at_once=1_500)

    assert await digests([group], store, SHARDS) == await one_by_one(group, journal)
    assert [await store.upto(GroupShard(shard.number, group.name)) for shard in journal] == [
        shard.head() for shard in journal
    ]


@settings(max_examples=sized(6, 15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(min_value=1, max_value=2_500),
    st.integers(min_value=1, max_value=25),
    st.integers(min_value=1, max_value=2_500),
)
@example(first=2_500, deadly=2, second=500)
@example(first=2_500, deadly=3, second=1_999)
async def test_a_filling_that_is_killed_goes_on_with_stretches_of_any_other_length(
    journal: Journal, first: int, deadly: int, second: int
) -> None:
    """Killed before any of its saves: what some streams have already is counted once."""
    store = Dying(deadly)
    for shard in journal:
        with suppress(ConnectionError):
            await fill(CUSTOMERS, shard.number, journal, store, at_once=first)
    store.spare()
    for shard in journal:
        await fill(CUSTOMERS, shard.number, journal, store, at_once=second)

    assert await digests([CUSTOMERS], store, SHARDS) == await one_by_one(CUSTOMERS, journal)


async def test_two_that_fill_the_same_place_at_once_do_each_other_no_harm(
    journal: Journal, store: Store
) -> None:
    """Whoever finds that the position has moved begins from there."""
    await asyncio.gather(
        *(
            fill(CUSTOMERS, shard.number, journal, store, at_once=at_once)
            for shard in journal
            for at_once in (700, 900)
        )
    )

    assert await digests([CUSTOMERS], store, SHARDS) == await one_by_one(CUSTOMERS, journal)


@every_group
def test_stretches_of_any_length_come_to_the_same_states(group: Group, journal: Journal) -> None:
    """From one row at a time to all of them."""
    found = []
    for at_once in (97, 10_000):
        states = {}
        for parts in Reader(group, journal[0], at_once=at_once):
            for stream in streams_in(parts, states):
                states[stream] = folded_on(group, stream, states.get(stream), parts)
        found.append(
            {
                stream: [part.encode(state) for part, state in zip(group.parts, each, strict=True)]
                for stream, each in states.items()
            }
        )

    assert found[0] == found[1]
    assert found[0] or group is MODELS


def test_a_shard_is_read_without_a_gap(journal: Journal) -> None:
    """Whatever the length of a stretch, rows that are kept are all there, in order."""
    kept = []
    for at_once in (1, 1_000, 1_001, 10_000):
        reader = Reader(CUSTOMERS, journal[0], at_once=at_once, keep={"day-closed.v1"})
        assert sum(1 for _ in reader) >= 1
        kept.append(reader.kept)

    assert (
        kept[0]
        == kept[1]
        == kept[2]
        == kept[3]
        == [row for row in journal[0].read(0, 100_000) if row.event_type == "day-closed.v1"]
    )
