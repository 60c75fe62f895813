"""What do the states come to when they are folded from the journal anew? Shard by shard, on all cores."""

import gc
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from typing import Any

from projections.projection import Group, States
from projections.store import Kept, MemoryStore, Place
from streams.folding import evolved, stretches
from streams.journal import Journal, Shard

AT_ONCE = 50_000
"""Rows read at once: the longer the stretch, the more of a stream's events are folded together."""
LOOK_EVERY = 0.2

Folded = tuple[Place, int, dict[tuple[str, str], Kept]]


def rebuild(groups: Sequence[Group], journal: Journal, progress: Callable[[int], None] = lambda _n: None, processes: int | None = None) -> MemoryStore:
    """Fold every shard of the journal into states in memory. Nothing is sent: reactions do not run.

    With more than one process (as many as there are cores, unless said) each takes one shard at a time.
    """
    tasks = [(group, shard) for group in groups for shard in range(len(journal))]
    count = min(processes or os.cpu_count() or 1, len(tasks))
    if count == 1:
        return MemoryStore(_folded(group, journal[shard], progress) for group, shard in tasks)
    return MemoryStore(_in_processes(tasks, journal, progress, count))


def fold_shard(group: Group, shard: Shard, progress: Callable[[int], None]) -> tuple[int, dict[str, States]]:
    """The states of every stream of a group after a whole shard, and how far it was read."""
    upto, found = 0, dict[str, States]()
    while rows := shard.read(upto, AT_ONCE):
        for by_stream, event in stretches(group, rows):
            for stream, some in by_stream.items():
                found[stream] = evolved(group, found.get(stream, group.initial), some, [])
            if event is not None:
                found = {stream: group.evolve(states, event) for stream, states in found.items()}
        upto = rows[-1].position
        progress(len(rows))
    return upto, found


def _folded(group: Group, shard: Shard, progress: Callable[[int], None]) -> Folded:
    upto, found = fold_shard(group, shard, progress)
    states = {
        (part.key, stream): Kept(upto, part.encode(state))
        for stream, each in found.items()
        for part, state in zip(group.parts, each, strict=True)
        if state is not part.initial
    }
    return Place(shard.number, group.name), upto, states


def _in_processes(tasks: Sequence[tuple[Group, int]], journal: Journal, progress: Callable[[int], None], count: int) -> list[Folded]:
    context = multiprocessing.get_context("spawn")
    folded: Any = context.Array("q", len(tasks))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(journal.url, len(journal), folded)) as pool:
        waiting = {pool.submit(_take, number, group, shard) for number, (group, shard) in enumerate(tasks)}
        done: set[Future[Folded]] = set()
        told = 0
        while waiting:
            finished, waiting = wait(waiting, timeout=LOOK_EVERY)
            done |= finished
            progress(sum(folded) - told)
            told = sum(folded)
        return [each.result() for each in done]


_mine: dict[str, Any] = {}
"""What a process of the pool works with: its own journal, and where it says how far it is."""


def _begin(url: str, shards: int, folded: Any) -> None:
    gc.disable()  # events and states are many and free of cycles, and the process ends with its work
    _mine.update(journal=Journal(url, shards), folded=folded)


def _take(number: int, group: Group, shard: int) -> Folded:
    def progress(count: int) -> None:
        _mine["folded"][number] += count

    return _folded(group, _mine["journal"][shard], progress)
