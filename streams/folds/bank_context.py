"""What had a shard's own stream said by a position?

Folded from the journal when somebody asks; an event or a few a day.
"""

from typing import Any

from domain.envelope import Recorded
from projections.projection import Group
from streams.journal import Shard


class Context:
    """Gives events that concern everyone what their group wants to know beside them."""

    def __init__(self, group: Group, shard: Shard) -> None:
        self._projection = group.context
        self._shard = shard
        self._own: list[Recorded] = []
        self._at = self._reached = self._fresh = 0
        self._state: Any = None
        self._begin()

    def read(self, upto: int) -> None:
        """Read the shard's own stream as far as some events that are told next."""
        self._own, self._fresh = self._shard.own(), upto

    def tell(self, event: Recorded) -> Recorded:
        """The event with the context as it was at its position."""
        if self._projection is None:
            return event
        if event.position < self._reached:
            self._begin()
        while (
            following := self._following(event)
        ) is not None and following.position <= event.position:
            self._state, self._reached = (
                self._projection.evolve(self._state, following),
                following.position,
            )
            self._at += 1
        return event._replace(context=self._state)

    def _begin(self) -> None:
        self._state = self._projection.initial if self._projection else None
        self._reached = self._at = 0

    def _following(self, event: Recorded) -> Recorded | None:
        """The next event of the shard's own stream, for one that is told."""
        if self._at == len(self._own) and event.position > self._fresh:
            self._own = self._shard.own()
        return self._own[self._at] if self._at < len(self._own) else None
