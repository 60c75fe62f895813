"""What had a shard's own stream said by a position?

Folded from the journal when somebody asks; an event or a few a day.
"""

from bisect import bisect_right
from typing import Any

from domain.envelope import Recorded
from projections.projection import Group
from streams.journal import Shard


class Context:
    """Gives events what their group wants to know beside them."""

    def __init__(self, group: Group, shard: Shard) -> None:
        self._projection = group.context
        self._shard = shard
        self._folded = self._reached = 0
        self._from: list[int] = []
        self._states: list[Any] = []

    def tell(self, event: Recorded) -> Recorded:
        """The event with the context as it was at its position."""
        if self._projection is None:
            return event
        if event.position > self._reached:
            self._fold(event.position)
        found = bisect_right(self._from, event.position)
        return event._replace(
            context=self._states[found - 1] if found else self._projection.initial
        )

    def _fold(self, to: int) -> None:
        """Fold what there is by now, and note from which position on which state holds."""
        assert self._projection is not None
        state = self._states[-1] if self._states else self._projection.initial
        own = self._shard.own()
        for event in own[self._folded :]:
            after = self._projection.evolve(state, event)
            if after is not state:
                self._from.append(event.position)
                self._states.append(after)
            state = after
            to = max(to, event.position)
        self._folded, self._reached = len(own), to
