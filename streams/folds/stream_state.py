"""How do rows become states?

As much of each as is needed, stream by stream, up to the next event that concerns everyone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from domain.envelope import Proposed, Recorded
from projections.projection import Group, States
from projections.store import StoredState
from streams.journal import Row, part_decoder

Partial = Any
"""A row, or as much of its event as is needed to fold it with others of its kind."""
T = TypeVar("T")


class StreamState:
    """The states of one stream, and the last position folded into any of them."""

    __slots__ = ("states", "upto")

    def __init__(self, states: States, upto: int) -> None:
        self.states = states
        self.upto = upto

    @classmethod
    def of(
        cls, group: Group, found: Sequence[StoredState | None], of_sources: States = ()
    ) -> "StreamState":
        """The states that were found, initial where there is none, and behind them what was read of
        the group's sources.
        """
        own = [
            part.decode(kept.state) if kept else part.initial
            for part, kept in zip(group.parts, found, strict=True)
        ]
        of_sources = of_sources or tuple(source.part.initial for source in group.sources)
        return cls(
            group.states(*own, *of_sources), max((kept.upto for kept in found if kept), default=0)
        )

    def fold(
        self,
        group: Group,
        stream: str,
        rows: Sequence[Row],
        as_partial: Callable[[Row], Partial],
        proposed: list[tuple[int, Proposed]],
    ) -> list[int]:
        """Fold the rows that are not folded yet, noting what should follow from which position.

        Gives which parts they changed.
        """
        fresh = [row for row in rows if row.position > self.upto]
        if not fresh:
            return []
        before, self.states = (
            self.states,
            evolved(group, stream, self.states, map(as_partial, fresh), proposed),
        )
        self.upto = fresh[-1].position
        return _changed(before, self.states)

    def broadcast(
        self,
        group: Group,
        stream: str,
        events: Iterable[Recorded],
        proposed: list[tuple[int, Proposed]],
    ) -> list[int]:
        """Fold events in order, less those that are folded, noting what should follow.

        Gives which parts they changed.
        """
        before = self.states
        for event in events:
            if event.position > self.upto:
                self.states = _evolved(group, stream, self.states, event, proposed)
                self.upto = event.position
        return _changed(before, self.states)

    def stored(self, group: Group, part: int) -> StoredState:
        """One of the states, as it is kept."""
        return StoredState.of(group.parts[part], self.upto, self.states[part])


def decoded(group: Group, found: Sequence[StoredState | None]) -> Any:
    """The states that a reader found, initial where there is none."""
    return StreamState.of(group, found).states


def stretches(
    group: Group, rows: Iterable[Row], keep: Callable[[Row], T]
) -> Iterator[tuple[dict[str, list[T]], Recorded | None]]:
    """What is kept of the rows that matter to a group, by stream, each time up to the next event
    that concerns everyone; the last up to the end.
    """
    by_stream: dict[str, list[T]] = {}
    for row in rows:
        if row.event_type in group.ignored_types or (
            group.read_types and row.event_type not in group.read_types
        ):
            continue
        if (known := by_stream.get(row.stream)) is not None:
            known.append(keep(row))
        elif group.concerned(row.stream):
            by_stream[row.stream] = [keep(row)]
        elif (
            group.is_broadcast
            and row.stream.startswith("shard:")
            and group.is_broadcast((event := row.event()).data)
        ):
            yield by_stream, event
            by_stream = {}
    yield by_stream, None


def partial(group: Group) -> Callable[[Row], Partial]:
    """What makes a row lean.

    As much of its event as is needed to fold it with others of its kind, or else all that there is.
    """
    decoders = {event_type: part_decoder(run.shape) for event_type, run in group.runs.items()}

    def as_partial(row: Row) -> Partial:
        decode = decoders.get(row.event_type)
        return row if decode is None else decode(row.state)

    return as_partial


def evolved(
    group: Group,
    stream: str,
    states: States,
    rows: Iterable[Partial],
    proposed: list[tuple[int, Proposed]],
) -> States:
    """The states of one stream after more of its rows.

    What should follow from them is added to `proposed`, by position.
    """
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


def _evolved(
    group: Group, stream: str, states: States, event: Recorded, proposed: list[tuple[int, Proposed]]
) -> States:
    after = group.evolve(states, event)
    if group.react is not None:
        proposed += [(event.position, each) for each in group.react(stream, states, after, event)]
    return after


def _changed(before: States, after: States) -> list[int]:
    return [part for part, state in enumerate(after) if state is not before[part]]
