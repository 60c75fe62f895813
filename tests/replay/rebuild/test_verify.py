"""Nothing can be altered, lost or added without being noticed.

And what is sound is found sound, also while it moves.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from domain.rollout.lifecycle import Versions
from domain.tiering.policy import TierPolicy
from projections.projection import Group
from projections.registry import Present, present
from projections.store import GroupShard, MemoryStore, StoredState
from replay.rebuild.in_memory import rebuild
from replay.rebuild.verify import Verdict, verify
from streams.broker.batch import Batch
from streams.broker.routing import shard_of, spread
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset, Rejected
from streams.sources.synth import Bank, synth
from tests.conftest import NOON

SHARDS = 2


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A synthetic bank in two shards, and something in quarantine."""
    made = Journal(f"sqlite://{tmp_path}/journal", SHARDS)
    copies = [copy for event in synth(Bank(12, 3, 1)) for copy in spread(event, SHARDS)]
    for shard in made:
        shard.claim()
        own = [
            Arrival(0, number, b"", event)
            for number, event in enumerate(copies)
            if shard_of(event.stream, SHARDS) == shard.number
        ]
        shard.record(
            [*own, Arrival(0, 99_999, b"?", Rejected("unreadable"))], LogOffset("log", 0), NOON
        )
    yield made
    made.close()


@pytest.fixture
def running(bohai: TierPolicy) -> Present:
    """What runs where nothing was decided."""
    return present(Versions(), bohai)


def altered(journal: Journal, statement: str) -> None:
    """What somebody does who has the file and knows how."""
    path = journal.url.removeprefix("sqlite://") + "/shard-0.db"
    with sqlite3.connect(path) as database:
        for trigger in ("stored_events_no_update", "stored_events_no_delete"):
            database.execute(f"DROP TRIGGER {trigger}")
        assert database.execute(statement).rowcount == 1


async def verified(
    journal: Journal, running: Present, store: MemoryStore | None = None, sample: int | None = None
) -> Verdict:
    """The verdict over a journal and what was folded from it."""
    return await verify(
        store or rebuild(running.live, journal, processes=1), journal, running, sample
    )


async def test_what_is_sound_is_found_sound(journal: Journal, running: Present) -> None:
    """Every event and every state was looked at."""
    verdict = await verified(journal, running)

    assert (verdict.found, verdict.findings) == (0, [])
    assert (
        verdict.events
        == sum(shard.counts().recorded for shard in journal)
        == sum(each.events for each in verdict.ranges)
    )
    assert verdict.states >= 12 * 5


FIRST = (
    "(SELECT rowid FROM stored_events WHERE originator_id LIKE 'customer:%' ORDER BY rowid LIMIT 1)"
)
PAID = "(SELECT rowid FROM stored_events WHERE topic = 'transaction-posted.v1' AND CAST(state AS TEXT) NOT LIKE '%\"amount\":-%' LIMIT 1)"  # noqa: E501
RENAMED = "CAST(replace(CAST(state AS TEXT), 'transaction-posted.v1', 'dream-told.v1') AS BLOB)"
ALTERED: dict[str, tuple[str, str]] = {
    "an amount": (
        "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), '\"amount\":', "
        f"'\"amount\":1') AS BLOB) WHERE rowid = {PAID}",
        "is not what its sender said",
    ),
    "bytes that are none": (
        f"UPDATE stored_events SET state = x'00' WHERE rowid = {FIRST}",
        "cannot be read",
    ),
    "an event that is gone": (f"DELETE FROM stored_events WHERE rowid = {FIRST}", "were counted"),
    "an event of somebody else": (
        f"UPDATE stored_events SET originator_id = 'customer:x' WHERE rowid = {FIRST}",
        "says another stream",
    ),
    "a type that it is filed under": (
        f"UPDATE stored_events SET topic = 'survey-answered.v1' WHERE rowid = {FIRST}",
        "says another type",
    ),
    "a type that nobody knows": (
        f"UPDATE stored_events SET topic = 'dream-told.v1', state = {RENAMED} WHERE rowid = {PAID}",
        "does not know the type dream-told.v1",
    ),
    "a type that nobody knows, in the bytes alone": (
        f"UPDATE stored_events SET state = {RENAMED} WHERE rowid = {PAID}",
        "says another type",
    ),
    "a source id that is gone": (
        "DELETE FROM sources WHERE source_key = (SELECT source_key FROM sources LIMIT 1)",
        "was not recorded under this name",
    ),
    "quarantine that is gone": ("DELETE FROM quarantine", "were counted"),
}


@pytest.mark.parametrize("what", ALTERED)
async def test_what_was_altered_in_the_journal_is_found(
    journal: Journal, running: Present, what: str
) -> None:
    """By its place, whoever did it, and whatever the read models say."""
    statement, said = ALTERED[what]
    store = rebuild(running.live, journal, processes=1)
    altered(journal, statement)
    verdict = await verified(journal, running, store)

    assert said in " ".join(finding.said for finding in verdict.findings)
    assert {finding.shard for finding in verdict.findings} == {0}


async def test_a_hole_in_a_stream_is_named(journal: Journal, running: Present) -> None:
    """Which stream, and how much of it is there."""
    altered(journal, f"DELETE FROM stored_events WHERE rowid = {FIRST}")
    verdict = await verified(journal, running)

    assert [
        finding.where.partition(":")[0] for finding in verdict.findings if finding.kind == "hole"
    ] == ["customer"]


async def _states(
    store: MemoryStore, group: Group
) -> tuple[GroupShard, dict[tuple[str, str], StoredState]]:
    """The states of a group in a shard."""
    place = GroupShard(1, group.name)
    streams = [stream async for some in store.streams(place) for stream in some]
    keys = [(part.key, stream) for stream in streams for part in group.parts]
    return place, {
        key: kept for key, kept in zip(keys, await store.load(place, keys), strict=True) if kept
    }


STATES: dict[str, Callable[[StoredState], StoredState]] = {
    "another state": lambda kept: StoredState(kept.upto, kept.state.replace(b"1", b"2")),
    "an empty state": lambda kept: StoredState(kept.upto, b"{}"),
}


@pytest.mark.parametrize("base", ["customers@5", "reactions@4", "standings@1"])
@pytest.mark.parametrize("what", STATES)
async def test_a_state_that_is_not_what_its_history_comes_to_is_found(
    journal: Journal, running: Present, base: str, what: str
) -> None:
    """Of every group, by its name and stream."""
    store, group = rebuild(running.live, journal, processes=1), running.of(base)
    place, states = await _states(store, group)
    key = next(key for key, kept in states.items() if STATES[what](kept).state != kept.state)
    reached = await store.reached(place)
    assert await store.save(place, reached, reached.upto, {key: STATES[what](states[key])})
    verdict = await verified(journal, running, store)

    assert [(finding.kind, finding.where) for finding in verdict.findings] == [
        ("state", f"{group.name} {key[1]}")
    ]


async def test_a_stream_that_would_fall_due_on_another_day_is_found(
    journal: Journal, running: Present
) -> None:
    """Its state is right, and it does not stand in the index as that says."""
    store, group = rebuild(running.live, journal, processes=1), running.of("reactions@4")
    place, states = await _states(store, group)
    key, reached = next(iter(states)), await store.reached(place)
    assert await store.save(
        place, reached, reached.upto, {key: states[key]._replace(due=date.max.toordinal())}
    )

    assert [finding.said for finding in (await verified(journal, running, store)).findings] == [
        "does not fall due when it should"
    ]


async def test_a_state_of_nobody_is_found(journal: Journal, running: Present) -> None:
    """Somebody whom the journal does not know."""
    store, group = rebuild(running.live, journal, processes=1), running.live[0]
    place, states = await _states(store, group)
    reached = await store.reached(place)
    assert await store.save(
        place,
        reached,
        reached.upto,
        {(key, "customer:nobody"): kept for (key, _), kept in states.items()},
    )

    assert [finding.where for finding in (await verified(journal, running, store)).findings] == [
        f"{group.name} customer:nobody"
    ]


async def test_states_that_are_behind_or_move_on_are_sound(
    journal: Journal, running: Present
) -> None:
    """A position is no fault: what was folded so far is what its history came to by then."""
    store, group = MemoryStore(), running.live[0]
    for shard in journal:
        half = shard.head() // 2
        await ShardFold(group, shard.number, store, journal).advance(Batch(half, half, []))

    assert (await verified(journal, running, store)).findings == []


async def test_a_sample_looks_at_fewer(journal: Journal, running: Present) -> None:
    """So many streams a shard and group."""
    assert (await verified(journal, running, sample=1)).states <= SHARDS * sum(
        len(group.parts) for group in running.carried
    )
