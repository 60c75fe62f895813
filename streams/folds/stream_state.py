"""How do rows become states? As much of each as is needed, stream by stream, up to the next event that concerns everyone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from domain.envelope import Proposed, Recorded
from projections.projection import Group, States
from projections.store import Kept
from streams.journal import Row, part_decoder

Lean = Any
"""A row, or as much of its event as is needed to fold it with others of its kind."""
T = TypeVar("T")


class Held:
    """The states of one stream, and the last position folded into any of them."""

    __slots__ = ("states", "upto")

    def __init__(self, states: States, upto: int) -> None:
        self.states = states
        self.upto = upto

    @classmethod
    def of(cls, group: Group, found: Sequence[Kept | None], beside: States = ()) -> "Held":
        states = tuple(part.decode(kept.state) if kept else part.initial for part, kept in zip(group.parts, found, strict=True))
        return cls((*states, *beside), max((kept.upto for kept in found if kept), default=0))

    def fold(self, group: Group, stream: str, rows: Sequence[Row], made_lean: Callable[[Row], Lean], proposed: list[tuple[int, Proposed]]) -> list[int]:
        """Fold the rows that are not folded yet, noting what should follow from which position; gives which parts they changed."""
        fresh = [row for row in rows if row.position > self.upto]
        if not fresh:
            return []
        before, self.states = self.states, evolved(group, stream, self.states, map(made_lean, fresh), proposed)
        self.upto = fresh[-1].position
        return _changed(before, self.states)

    def sweep(self, group: Group, stream: str, events: Iterable[Recorded], proposed: list[tuple[int, Proposed]]) -> list[int]:
        """Fold events in order, less those that are folded, noting what should follow; gives which parts they changed."""
        before = self.states
        for event in events:
            if event.position > self.upto:
                self.states = _evolved(group, stream, self.states, event, proposed)
                self.upto = event.position
        return _changed(before, self.states)

    def kept(self, group: Group, part: int) -> Kept:
        """One of the states, as it is kept."""
        return Kept(self.upto, group.parts[part].encode(self.states[part]))


def decoded(group: Group, found: Sequence[Kept | None]) -> tuple[Any, ...]:
    """The states that a reader found, initial where there is none."""
    return Held.of(group, found).states


def stretches(group: Group, rows: Iterable[Row], keep: Callable[[Row], T]) -> Iterator[tuple[dict[str, list[T]], Recorded | None]]:
    """What is kept of the rows that matter to a group, by stream, each time up to the next event that concerns everyone; the last up to the end."""
    by_stream: dict[str, list[T]] = {}
    for row in rows:
        if row.topic in group.deaf or (group.topics is not None and row.topic not in group.topics and not row.stream.startswith("shard:")):
            continue
        if (known := by_stream.get(row.stream)) is not None:
            known.append(keep(row))
        elif group.concerned(row.stream):
            by_stream[row.stream] = [keep(row)]
        elif group.everyone and row.stream.startswith("shard:") and group.everyone((event := row.event()).data):
            yield by_stream, event
            by_stream = {}
    yield by_stream, None


def lean(group: Group) -> Callable[[Row], Lean]:
    """What makes a row lean: as much of its event as is needed to fold it with others of its kind, or else all that there is."""
    decoders = {topic: part_decoder(run.shape) for topic, run in group.runs.items()}

    def made_lean(row: Row) -> Lean:
        decode = decoders.get(row.topic)
        return row if decode is None else decode(row.state)

    return made_lean


def evolved(group: Group, stream: str, states: States, rows: Iterable[Lean], proposed: list[tuple[int, Proposed]]) -> States:
    """The states of one stream after more of its rows; what should follow from them is added to `proposed`, by position."""
    waiting: dict[type, list[Any]] = {}
    for row in rows:
        kind = type(row)
        if kind is Row:
            states = _evolved(group, stream, _run(group, states, waiting), row.event(), proposed)
        elif kind in waiting:
            waiting[kind].append(row)
        else:
            waiting[kind] = [row]
    return _run(group, states, waiting)


def _run(group: Group, states: States, waiting: dict[type, list[Any]]) -> States:
    """The states after all that waits to be folded many at once; then nothing waits any more."""
    for kind, some in waiting.items():
        states = group.folds[kind](states, some)
    waiting.clear()
    return states


def _evolved(group: Group, stream: str, states: States, event: Recorded, proposed: list[tuple[int, Proposed]]) -> States:
    after = group.evolve(states, event)
    if group.react is not None:
        proposed += [(event.position, each) for each in group.react(stream, states, after, event)]
    return after


def _changed(before: States, after: States) -> list[int]:
    return [part for part, state in enumerate(after) if state is not before[part]]
