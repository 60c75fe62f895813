"""Where are folded states kept?

What every read-model store promises, and one in memory.

A state is kept with `upto`, the position of the last event folded into it. What a shard's group has
is saved by compare-and-set: whoever does not know its tag, which every save draws anew, saves
nothing. So an old writer that wakes up does no harm, and two who fold the same do not mix.

Trap: a position alone does not do. A store that was lost is at 0, as one that has not begun; one
that came back from a snapshot may be at the very position at which others have saved some of their
streams since.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from projections.projection import Projection

NEVER = 0


class StoredState(NamedTuple):
    """A state as it is kept: the position folded last, and the bytes.

    `due` is the ordinal of the day on which something falls due in it, `NEVER`, or None where that
    is not asked.
    """

    upto: int
    state: bytes
    due: int | None = None

    @classmethod
    def of(cls, part: Projection[Any], upto: int, state: Any) -> "StoredState":
        """A state of a projection, as it is kept."""
        if part.due is None:
            return cls(upto, part.encode(state))
        day = part.due(state)
        return cls(upto, part.encode(state), NEVER if day is None else day.toordinal())


class GroupShard(NamedTuple):
    """Where the states of a group are, for one shard."""

    shard: int
    group: str


class Progress(NamedTuple):
    """How far a group has read a shard, and the tag of its last save."""

    upto: int
    etag: str


def new_etag() -> str:
    """A tag that no save had before."""
    return uuid4().hex


class Store(Protocol):
    """A read-model store.

    `key` is `projection@version`; a stream's states lie beside each other.
    """

    async def upto(self, place: GroupShard) -> int:
        """How far a group has read a shard; 0 if it has not begun."""

    async def reached(self, place: GroupShard) -> Progress:
        """How far a group has read a shard, for whoever means to save.

        A tag is drawn if there is none.
        """

    async def load(
        self, place: GroupShard, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None]:
        """The states under `(key, stream)`, in the order asked for."""

    async def load_at(
        self, place: GroupShard, expected: Progress, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None] | None:
        """The same, all at one moment, or None if the shard is not at `expected` then."""

    async def read(self, wanted: Sequence[tuple[GroupShard, str, str]]) -> list[StoredState | None]:
        """States of several places at once, by place, key and stream."""

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        """Save states by `(key, stream)` and move the shard to `upto`, all or nothing.

        Gives what it has reached then.

        None, and nothing saved, if the shard is not at `expected`.
        """

    async def amend(
        self,
        place: GroupShard,
        expected: Progress,
        states: Mapping[tuple[str, str], StoredState | None],
    ) -> bool:
        """Put states in the place of those there are, or of None nothing.

        For a history that was shortened.

        The shard stays where it is, under another tag, so that whoever folds it takes its states up
        anew. False, and nothing is changed, if the shard is not at `expected`.
        """

    def streams(self, place: GroupShard) -> AsyncIterator[list[str]]:
        """Every stream with a state, some at a time; one may come twice."""

    async def due(self, place: GroupShard, day: date) -> list[str] | None:
        """The streams in which something is due on a day or before; None if that is not known."""

    async def due_of(self, place: GroupShard, wanted: Sequence[tuple[str, str]]) -> list[int]:
        """By `(key, stream)`, the ordinal of the day on which something is due, or `NEVER`."""

    async def is_indexed(self, place: GroupShard, /) -> bool:
        """Whether all states there were kept with what is due in them."""

    async def set_indexed(self, place: GroupShard, upto: int, /) -> None:
        """Note that all that were folded up to a position are."""


class MemoryStore:
    """Read models in memory: for rebuilding beside the live ones, and for looking back."""

    def __init__(
        self, folded: Iterable[tuple[GroupShard, int, dict[tuple[str, str], StoredState]]] = ()
    ) -> None:
        self._upto: dict[GroupShard, int] = {}
        self._etags: dict[GroupShard, str] = {}
        self._states: dict[GroupShard, dict[tuple[str, str], StoredState]] = {}
        for place, upto, states in folded:
            self._upto[place], self._states[place] = upto, states

    async def upto(self, place: GroupShard) -> int:
        """How far a group has read a shard."""
        return self._upto.get(place, 0)

    async def reached(self, place: GroupShard) -> Progress:
        """How far a group has read a shard, and the tag of its last save."""
        return Progress(self._upto.get(place, 0), self._etags.setdefault(place, new_etag()))

    async def load(
        self, place: GroupShard, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None]:
        """The states under `(key, stream)`."""
        return await self.read([(place, *name) for name in wanted])

    async def load_at(
        self, place: GroupShard, expected: Progress, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None] | None:
        """The same, or None if the shard is not at `expected`."""
        return await self.load(place, wanted) if self._is_at(place, expected) else None

    async def read(self, wanted: Sequence[tuple[GroupShard, str, str]]) -> list[StoredState | None]:
        """States of several places."""
        return [self._states.get(place, {}).get((key, stream)) for place, key, stream in wanted]

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        """Save states and move the shard, all or nothing."""
        if not self._is_at(place, expected):
            return None
        self._states.setdefault(place, {}).update(states)
        return self._moved(place, upto)

    async def amend(
        self,
        place: GroupShard,
        expected: Progress,
        states: Mapping[tuple[str, str], StoredState | None],
    ) -> bool:
        """Put states in the place of others, all or nothing."""
        if not self._is_at(place, expected):
            return False
        kept = self._states.setdefault(place, {})
        for name, state in states.items():
            if state is None:
                kept.pop(name, None)
            else:
                kept[name] = state
        self._moved(place, expected.upto)
        return True

    async def streams(self, place: GroupShard) -> AsyncIterator[list[str]]:
        """Every stream with a state."""
        yield sorted({stream for _, stream in self._states.get(place, {})})

    async def due(self, place: GroupShard, day: date) -> list[str] | None:
        """The streams in which something is due."""
        return [
            stream
            for (_, stream), kept in self._states.get(place, {}).items()
            if kept.due and kept.due <= day.toordinal()
        ]

    async def due_of(self, place: GroupShard, wanted: Sequence[tuple[str, str]]) -> list[int]:
        """What is due under `(key, stream)`."""
        return [kept.due or NEVER if kept else NEVER for kept in await self.load(place, wanted)]

    async def is_indexed(self, _place: GroupShard) -> bool:
        """What is kept here is looked through."""
        return True

    async def set_indexed(self, _place: GroupShard, _upto: int) -> None:
        """Nothing to note."""

    def _is_at(self, place: GroupShard, expected: Progress) -> bool:
        return (self._upto.get(place, 0), self._etags.get(place)) == expected

    def _moved(self, place: GroupShard, upto: int) -> Progress:
        self._upto[place], self._etags[place] = upto, new_etag()
        return Progress(upto, self._etags[place])
