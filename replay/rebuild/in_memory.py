"""What do the states come to when they are folded from the journal anew?

Shard by shard, on all cores.

The oracle: what every other driver of a fold must come to, byte for byte.
"""

import multiprocessing
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple

from domain.bank.events import DayClosed
from domain.envelope import Recorded
from projections.projection import Group, States
from projections.store import GroupShard, MemoryStore, StoredState
from replay.rebuild.reader import Reader, folded_on, streams_in
from replay.rebuild.workers import pool
from streams.journal import Journal, Row, Shard

LOOK_EVERY = 0.2

Folded = tuple[GroupShard, int, dict[tuple[str, str], StoredState]]


class Task(NamedTuple):
    """A group over a shard, and the groups that read what it has folded, with the others that
    these read.
    """

    group: Group
    beside: tuple[Group, ...]
    derived: tuple[Group, ...]
    shard: int


def rebuild(
    groups: Sequence[Group],
    journal: Journal,
    progress: Callable[[int], None] = lambda _n: None,
    processes: int | None = None,
) -> MemoryStore:
    """Fold every shard of the journal into states in memory.

    Nothing is sent: reactions do not run.

    A group with a source is folded with its source, which must be among the groups. With more than
    one process (as many as there are cores) each takes one shard at a time.
    """
    sources = {group.name: group for group in groups if not group.sources}
    derived = {
        name: tuple(each for each in groups if each.sources and each.sources[0].group == name)
        for name in sources
    }
    beside = {
        name: tuple(
            {
                source.group: sources[source.group]
                for each in derived[name]
                for source in each.sources[1:]
            }.values()
        )
        for name in sources
    }
    with_others = {group.name for some in beside.values() for group in some}
    tasks = [
        Task(sources[name], beside[name], derived[name], shard)
        for name in sources
        if derived[name] or name not in with_others
        for shard in range(len(journal))
    ]
    if processes == 1 or len(tasks) == 1:
        return MemoryStore(
            each for task in tasks for each in _folded(task, journal[task.shard], progress)
        )
    return MemoryStore(_in_processes(tasks, journal, progress))


class History(NamedTuple):
    """A shard folded by one group.

    How far, the states by stream, and the rows of some types, in order.
    """

    upto: int
    states: dict[str, States]
    rows: list[Row]


def fold_shard(
    group: Group, shard: Shard, progress: Callable[[int], None], keep: frozenset[str] = frozenset()
) -> History:
    """The states of every stream of a group after a whole shard.

    The rows of the types in `keep` are given back.
    """
    found: dict[str, States] = {}
    reader = Reader(group, shard, keep=keep, progress=progress)
    for parts in reader:
        for stream in streams_in(parts, found):
            found[stream] = folded_on(group, stream, found.get(stream), parts)
    return History(reader.upto, found, reader.kept)


def derive(
    group: Group, histories: Mapping[str, History], sources: Mapping[str, Group]
) -> dict[str, States]:
    """The states of a group that reads what others have folded (by name), for every stream of the
    first of these.
    """
    first = histories[group.sources[0].group]
    read = [
        (
            histories[source.group].states,
            sources[source.group].parts.index(source.part),
            source.part.initial,
        )
        for source in group.sources
    ]
    own: dict[str, list[Recorded]] = {}
    shared: list[Recorded] = []
    for event in (row.event() for row in first.rows if row.event_type in (group.event_types or ())):
        if group.concerned(event.stream):
            own.setdefault(event.stream, []).append(event)
        elif (
            group.is_broadcast
            and group.is_broadcast(event.data)
            and (not shared or _day(event) > _day(shared[-1]))
        ):
            shared.append(event)  # an older month's end, told again, changes nothing
    found = {}
    for stream in first.states:
        of_sources = [
            states[stream][place] if stream in states else initial
            for states, place, initial in read
        ]
        states = group.states(*(part.initial for part in group.parts), *of_sources)
        for event in _in_turn(own.get(stream, ()), shared):
            states = group.evolve(states, event)
        found[stream] = states[: len(group.parts)]
    return found


def _day(event: Recorded) -> date:
    assert isinstance(event.data, DayClosed)
    return event.data.date


def _in_turn(own: Sequence[Recorded], shared: Sequence[Recorded]) -> Iterator[Recorded]:
    """A stream's own events, each behind the last event for everyone before it.

    Then the last of these.

    One stands for all between, because what they read of another group is all there.
    """
    told = 0
    for event in own:
        before = bisect_left(shared, event.position, key=attrgetter("position"))
        yield from shared[max(told, before - 1) : before]
        told = before
        yield event
    yield from shared[max(told, len(shared) - 1) :]


def _folded(task: Task, shard: Shard, progress: Callable[[int], None]) -> list[Folded]:
    keep = frozenset(event_type for group in task.derived for event_type in group.event_types or ())
    history = fold_shard(task.group, shard, progress, keep)
    sources = {group.name: group for group in (task.group, *task.beside)}
    histories = {
        task.group.name: history,
        **{group.name: fold_shard(group, shard, lambda _n: None) for group in task.beside},
    }
    of_derived = [
        _stored(group, shard, history.upto, derive(group, histories, sources))
        for group in task.derived
    ]
    of_sources = [
        _stored(group, shard, histories[name].upto, histories[name].states)
        for name, group in sources.items()
    ]
    return of_sources + of_derived


def _stored(group: Group, shard: Shard, upto: int, found: Mapping[str, States]) -> Folded:
    states = {
        (part.key, stream): StoredState.of(part, upto, state)
        for stream, each in found.items()
        for part, state in zip(group.parts, each, strict=True)
        if state is not part.initial
    }
    return GroupShard(shard.number, group.name), upto, states


def _in_processes(
    tasks: Sequence[Task], journal: Journal, progress: Callable[[int], None]
) -> Iterable[Folded]:
    context = multiprocessing.get_context("spawn")
    folded: Any = context.Array("q", len(tasks))
    with pool(len(tasks), context, _begin, (journal, folded)) as processes:
        waiting = {processes.submit(_take, number, task) for number, task in enumerate(tasks)}
        done: set[Future[list[Folded]]] = set()
        told = 0
        while waiting:
            finished, waiting = wait(waiting, timeout=LOOK_EVERY)
            done |= finished
            progress(sum(folded) - told)
            told = sum(folded)
        return [each for future in done for each in future.result()]


_mine: dict[str, Any] = {}
"""What a process of the pool works with: its own journal, and where it says how far it is."""


def _begin(journal: Journal, folded: Any) -> None:
    _mine.update(journal=journal, folded=folded)


def _take(number: int, task: Task) -> list[Folded]:
    def progress(count: int) -> None:
        _mine["folded"][number] += count

    return _folded(task, _mine["journal"][task.shard], progress)
