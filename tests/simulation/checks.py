"""What must hold once a world has come to rest."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from domain.envelope import Proposed, Recorded
from replay.rebuild.digests import digests
from replay.rebuild.in_memory import rebuild
from streams.broker.batch import decode_batch
from streams.broker.kafka import RECORDED, TopicPartition
from streams.broker.routing import spread
from streams.journal import Shard, previous_of
from streams.journal.merkle import leaf_hash
from tests.simulation.world import GROUPS, POISON, SHARDS, Violation, World


class Outcome(NamedTuple):
    """What was recorded, by what it says, and the digests of all projections.

    Two runs of the same events agree on both.

    What follows from a month's last report is named after it, and which shard's comes last is a
    fact of each run.
    """

    recorded: Counter[tuple[str, str]]
    digests: dict[str, str]


async def outcome(world: World) -> Outcome:
    """What came of a run."""
    return Outcome(
        Counter((event.stream, repr(event.data)) for event in _events(world)),
        await digests(GROUPS, world.store, SHARDS),
    )


async def check(world: World, fed: Iterable[Proposed], calm: Outcome) -> None:
    """Hold a world to all of it; raises `Violation`."""
    _once(world, [copy for event in fed for copy in spread(event, SHARDS)])
    _counted(world)
    for shard in world.journal:
        _published(world, shard)
        _proven(shard)
    found = await outcome(world)
    if found.recorded != calm.recorded:
        raise Violation(
            f"recorded otherwise than undisturbed: {found.recorded - calm.recorded} too many, "
            f"{calm.recorded - found.recorded} missing"
        )
    rebuilt = await digests(GROUPS, rebuild(GROUPS, world.journal, processes=1), SHARDS)
    for name, states in (("rebuilt", rebuilt), ("undisturbed", calm.digests)):
        if wrong := sorted(key for key, each in found.digests.items() if each != states[key]):
            raise Violation(f"live is not as {name}: {', '.join(wrong)}")


def _events(world: World) -> Iterator[Recorded]:
    for shard in world.journal:
        yield from shard.events(())


def _once(world: World, fed: list[Proposed]) -> None:
    """Nothing is recorded twice, all that was fed is, and each stream's in the order in which
    it was fed.
    """
    names = Counter((event.source, event.id) for event in _events(world))
    if twice := [name for name, count in names.items() if count > 1]:
        raise Violation(f"recorded twice: {twice[0]}")
    wanted, found = dict[str, list[str]](), dict[str, list[str]]()
    for event in fed:
        wanted.setdefault(event.stream, []).append(event.id)
    for recorded in _events(world):
        if recorded.source == fed[0].source:
            found.setdefault(recorded.stream, []).append(recorded.id)
    if wrong := sorted(
        stream for stream in wanted.keys() | found.keys() if wanted.get(stream) != found.get(stream)
    ):
        pairs = zip_longest(wanted.get(wrong[0], ()), found.get(wrong[0], ()))
        place, (due, came) = next(
            (place, pair) for place, pair in enumerate(pairs) if pair[0] != pair[1]
        )
        raise Violation(
            f"not recorded once and in order: event {place} of {wrong[0]} is {came}, and was to "
            f"be {due}"
        )


def _counted(world: World) -> None:
    """Every arrival has one outcome, and nothing but poison is set aside."""
    counts, entries = (
        world.journal.counts(),
        [entry for shard in world.journal for entry in shard.quarantined()],
    )
    if (
        not counts.balanced()
        or counts.recorded != sum(1 for _ in _events(world))
        or counts.quarantined != len(entries)
    ):
        raise Violation(f"the counts are wrong: {counts}, {len(entries)} set aside")
    if strange := [entry for entry in entries if entry.original != POISON]:
        raise Violation(f"set aside: {strange[0].reason}, {strange[0].original[:200]!r}")
    if len(entries) > world.poisoned or (
        len(entries) < world.poisoned and not world.faults.happened["broker loses everything"]
    ):
        raise Violation(f"{len(entries)} set aside of {world.poisoned} that were poisoned")


def _proven(shard: Shard) -> None:
    """Versions have no gaps, each event names the hash of the one before it, and the tree is over
    what is there.
    """
    ends, rows = dict[str, tuple[int, bytes]](), shard.stored(0, 1_000_000)
    for row in rows:
        version, previous = ends.get(row.stream, (0, None))
        if row.event().version != version + 1 or previous_of(row.state) != previous:
            raise Violation(
                f"{row.stream} does not go on from version {version} at position {row.position}"
            )
        ends[row.stream] = (version + 1, leaf_hash(row.state))
    if [(leaf.position, leaf.hash) for leaf in shard.leaves(0)] != [
        (row.position, leaf_hash(row.state)) for row in rows
    ]:
        raise Violation(f"the tree of shard {shard.number} is not over its events")
    try:
        shard.claim()
    except ValueError as error:
        raise Violation(str(error)) from error


def _published(world: World, shard: Shard) -> None:
    """Whatever was published is in the journal, to the byte, and the last of it goes up
    to its end.
    """
    rows, messages = (
        {row.position: row for row in shard.stored(0, 1_000_000)},
        world.broker.messages[TopicPartition(RECORDED, shard.number)],
    )
    if (upto := decode_batch(messages[-1].value).upto if messages else 0) != shard.head():
        raise Violation(
            f"not all was published: up to {upto} of {shard.head()} of shard {shard.number}"
        )
    for message in messages:
        for row in decode_batch(message.value).rows:
            if rows.get(row.position) != row:
                raise Violation(
                    f"published and not recorded: position {row.position} of shard {shard.number}"
                )
