"""What is a projection? A name, a version, where to begin, and how an event changes it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from domain.envelope import Proposed, Recorded
from domain.event import Interaction
from domain.event_types import OF_SHARDS

S = TypeVar("S")
States = tuple[Any, ...]

_encode = msgspec.json.Encoder(order="deterministic").encode


@lru_cache(maxsize=64)
def _decoder(kind: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)


@dataclass(frozen=True)
class Projection(Generic[S]):
    """A left fold over the events of one stream: `state = evolve(state, event)`, from
    `initial` on.

    `due` says on which day something falls due in a state, None for never. The events that concern
    everyone (a day that closed) are then folded only into streams in which something is due on
    their business date or before; into all others they must make no difference.
    """

    name: str
    version: int
    initial: S
    evolve: Callable[[S, Any], S]
    due: Callable[[S], date | None] | None = None

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

    `shape` is a struct with as much of the stored event as that needs, and `evolve` comes to what
    the group's own does, one event after the other. Other events of any type with a run may lie
    between: their order does not matter.
    """

    shape: type
    evolve: Callable[[Any, Sequence[Any]], States]


class Source(NamedTuple):
    """What a group reads of another one: the group's name, and a projection of it."""

    group: str
    part: Projection[Any]


class Turn(NamedTuple):
    """How versions of a group take turns in telling what follows, one at a time by position.

    `heeds` names the events of the shard from which something may follow where nothing changes, in
    streams in which something is due `by` a day; a switch is one. `follows` says in the place of
    which version this one tells from an event on: empty where there is none, or where it is the
    last to tell; None for all other events. `left` is what a version says of a stream's states at
    that event, and `told` what follows there, given what the version before `left`, if there is
    one.
    """

    heeds: Callable[[Interaction], bool]
    by: Callable[[Recorded], date]
    follows: Callable[[Recorded], str | None]
    left: Callable[[Any, Recorded], Any]
    told: Callable[[str, Any, Recorded, Any], Iterable[Proposed]]


@dataclass(frozen=True)
class Group:
    """Projections that are advanced together over the streams of some kinds, with one
    position per shard.

    `states` names the states of one stream: a tuple class with a field for each of `parts`, and
    behind them one for what is read of each of the `sources`. `evolve` folds an event into all of
    them at once, and `react` says what should follow from an event, given the stream and its states
    before and after. `event_types` names the stored types that matter; None means all but the
    `ignored_types`. `is_broadcast` tells which events of the shard itself (a day that closed)
    concern every stream in it, and `after_broadcast` what the shard, one of so many, has to say
    when all its streams have folded one. `runs` has the stored types that are folded many at once,
    where nothing follows from them. `context` is folded over the shard's own stream, and comes with
    the broadcast events, as it is at their position. A group with `sources` reads a state of each
    of these groups, and never folds further than they have; its streams are those of the first.
    Where its versions take turns, `turn` says how.
    """

    name: str
    kinds: tuple[str, ...]
    states: Callable[..., States]
    parts: tuple[Projection[Any], ...]
    evolve: Callable[[Any, Recorded], States]
    event_types: frozenset[str] | None = None
    is_broadcast: Callable[[Interaction], bool] | None = None
    react: Callable[[str, Any, Any, Recorded], Iterable[Proposed]] | None = None
    after_broadcast: Callable[[Recorded, int, int], Iterable[Proposed]] | None = None
    runs: Mapping[str, Run] = field(default_factory=dict)
    context: Projection[Any] | None = None
    sources: tuple[Source, ...] = ()
    ignored_types: frozenset[str] = frozenset()
    turn: Turn | None = None

    @cached_property
    def folds(self) -> dict[type, Callable[[Any, Sequence[Any]], States]]:
        """What folds many events at once, by their shape."""
        found = dict(self.runs.values())
        if len(found) != len(set(self.runs.values())):
            raise TypeError(
                f"{self.name} folds events of one shape in two ways: give each a shape of its own"
            )
        return found

    @cached_property
    def read_types(self) -> frozenset[str]:
        """The stored types that whoever folds this asks the journal for; none means all."""
        if self.event_types is None or self.is_broadcast is None:
            return self.event_types or frozenset()
        return self.event_types | OF_SHARDS

    @cached_property
    def is_indexed(self) -> bool:
        """Whether the store keeps by day in which streams something is due."""
        return self.after_broadcast is None and all(part.due for part in self.parts)

    def hears(self, event: Recorded) -> bool:
        """Whether an event of the shard itself matters."""
        return bool(
            (self.is_broadcast and self.is_broadcast(event.data))
            or (self.turn and self.turn.heeds(event.data))
        )

    def concerned(self, stream: str) -> bool:
        """Whether a stream is one of those that are folded."""
        return stream.partition(":")[0] in self.kinds

    def cares_for(self, kind: str, event_type: str) -> bool:
        """Whether an event of a stored type matters in a stream of a kind."""
        return (
            kind in self.kinds
            and event_type not in self.ignored_types
            and (self.event_types is None or event_type in self.event_types)
        )

    @cached_property
    def initial(self) -> States:
        """The states before any event."""
        return self.states(
            *(part.initial for part in self.parts),
            *(source.part.initial for source in self.sources),
        )


def digest(states: Iterable[tuple[str, bytes]]) -> str:
    """One SHA-256 for the states of a projection, whatever the order they come in."""
    total = hashlib.sha256()
    for stream, state in sorted(states):
        total.update(hashlib.sha256(stream.encode() + b"\0" + state).digest())
    return total.hexdigest()
