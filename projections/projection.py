"""What is a projection? A name, a version, where to begin, and how an event changes it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from domain.envelope import Proposed, Recorded
from domain.event import Interaction

S = TypeVar("S")
States = tuple[Any, ...]

_encode = msgspec.json.Encoder(order="deterministic").encode


@lru_cache(maxsize=64)
def _decoder(kind: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)


@dataclass(frozen=True)
class Projection(Generic[S]):
    """A left fold over the events of one stream: `state = evolve(state, event)`, from `initial` on."""

    name: str
    version: int
    initial: S
    evolve: Callable[[S, Any], S]

    @cached_property
    def key(self) -> str:
        """The name of what it fills: another version fills another place."""
        return f"{self.name}@{self.version}"

    def encode(self, state: S) -> bytes:
        """The one spelling of a state: JSON with sorted keys."""
        return _encode(state)

    def decode(self, stored: bytes) -> S:
        """A state from its spelling."""
        kind: Any = type(self.initial)
        return cast("S", _decoder(kind).decode(stored))


class Run(NamedTuple):
    """How several events of one type in a stream are folded at once.

    `shape` is a struct with as much of the stored event as that needs, and `evolve` comes to what the group's own
    does, one event after the other. Other events of any type with a run may lie between: their order does not matter.
    """

    shape: type
    evolve: Callable[[States, Sequence[Any]], States]


class Source(NamedTuple):
    """What a group reads of another one: the group's name, and a projection of it."""

    group: str
    part: Projection[Any]


@dataclass(frozen=True)
class Group:
    """Projections that are advanced together over the streams of some kinds, with one position per shard.

    `evolve` folds an event into all their states at once. `topics` names the stored types that matter to it; None
    means all but those in `deaf`. `everyone` tells which events of the shard itself (a day that closed) concern every stream in it,
    and `react` what should follow from an event, given the stream and its states before and after; `swept` what the
    shard, one of so many, has to say when all its streams have folded an event that concerns everyone. `runs` has the
    stored types that are folded many at once, where nothing follows from them. `context` is folded over the shard's own
    stream, and comes with the events that concern everyone, as it is at their position. A group with a `source` reads a
    state of another group, which comes behind its own in the states that are folded, and never folds further than that
    group has.
    """

    name: str
    kinds: tuple[str, ...]
    parts: tuple[Projection[Any], ...]
    evolve: Callable[[States, Recorded], States]
    topics: frozenset[str] | None = None
    everyone: Callable[[Interaction], bool] | None = None
    react: Callable[[str, States, States, Recorded], Iterable[Proposed]] | None = None
    swept: Callable[[Recorded, int, int], Proposed] | None = None
    runs: Mapping[str, Run] = field(default_factory=dict)
    context: Projection[Any] | None = None
    source: Source | None = None
    deaf: frozenset[str] = frozenset()

    @cached_property
    def folds(self) -> dict[type, Callable[[States, Sequence[Any]], States]]:
        """What folds many events at once, by their shape."""
        found = dict(self.runs.values())
        if len(found) != len(set(self.runs.values())):
            raise TypeError(f"{self.name} folds events of one shape in two ways: give each a shape of its own")
        return found

    def concerned(self, stream: str) -> bool:
        """Whether a stream is one of those that are folded."""
        return stream.partition(":")[0] in self.kinds

    @property
    def initial(self) -> States:
        """The states before any event."""
        return tuple(part.initial for part in self.read)

    @property
    def read(self) -> tuple[Projection[Any], ...]:
        """Whose states are folded: its own, and what it reads of another group."""
        return self.parts if self.source is None else (*self.parts, self.source.part)


def digest(states: Iterable[tuple[str, bytes]]) -> str:
    """One SHA-256 for the states of a projection, whatever the order they come in."""
    total = hashlib.sha256()
    for stream, state in sorted(states):
        total.update(hashlib.sha256(stream.encode() + b"\0" + state).digest())
    return total.hexdigest()
