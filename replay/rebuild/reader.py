"""How is a long stretch of a shard folded?

Stream by stream, its months one after the other: so a state is at hand for the next one.
"""

from collections.abc import Callable, Collection, Iterator
from itertools import chain

from domain.envelope import Recorded
from projections.projection import Group, States
from streams.folds.bank_context import Context
from streams.folds.stream_state import Partial, evolved, partial, stretches
from streams.journal import Row, Shard

CHUNK_ROWS = 200_000
"""Rows folded in one go: the longer the stretch, the more of a stream's events are
folded together.
"""
READ_ROWS = 1_000
"""Rows that are made lean before the next ones are read: their bytes are still at hand then."""

Part = tuple[dict[str, list[Partial]], Recorded | None]
"""Rows by stream, and the event for everyone that follows them."""


class Reader:
    """A shard from a position on up to its head, in stretches of so many of the rows that may
    matter to a group.

    Rows of the types in `keep` are kept; `upto` says how far it is.
    """

    def __init__(
        self,
        group: Group,
        shard: Shard,
        after: int = 0,
        at_once: int = CHUNK_ROWS,
        keep: Collection[str] = (),
        progress: Callable[[int], None] = lambda _n: None,
    ) -> None:
        self._group = group
        self._shard = shard
        self._partial = partial(group)
        self._context = Context(group, shard)
        self._at_once = at_once
        self._keep = keep
        self._progress = progress
        self.upto = after
        self.kept: list[Row] = []
        self._head = max(after, shard.head())
        self._event_types = sorted(group.read_types and group.read_types.union(keep))
        self._ended = False

    def __iter__(self) -> Iterator[list[Part]]:
        while not self._ended:
            yield [
                (by_stream, event and self._context.tell(event))
                for by_stream, event in stretches(self._group, self._rows(), self._partial)
            ]

    def _rows(self) -> Iterator[Row]:
        for start in range(0, self._at_once, READ_ROWS):
            limit = min(READ_ROWS, self._at_once - start)
            rows = self._shard.read(self.upto, limit, self._head, self._event_types)
            yield from rows
            at_head = len(rows) < limit
            self._move(self._head if at_head else rows[-1].position)
            self.kept += [row for row in rows if row.event_type in self._keep]
            if at_head:
                self._head = max(self.upto, self._shard.head())
                self._ended = self._head == self.upto
                return

    def _move(self, upto: int) -> None:
        self._progress(upto - self.upto)
        self.upto = upto


def streams_in(parts: list[Part], known: Collection[str]) -> list[str]:
    """The streams that a stretch concerns.

    Those with rows in it, and if it has an event for everyone all that are known.
    """
    return list(
        dict.fromkeys(
            chain(known if len(parts) > 1 else (), *(by_stream for by_stream, _ in parts))
        )
    )


def folded_on(group: Group, stream: str, states: States | None, parts: list[Part]) -> States:
    """The states of one stream after a stretch that concerns it.

    None are those of a stream that nobody knew before.
    """
    for by_stream, event in parts:
        if stream in by_stream:
            states = evolved(group, stream, states or group.initial, by_stream[stream], [])
        if states is not None and event is not None:
            states = group.evolve(states, event)
    assert states is not None
    return states
