"""Is what a restatement recorded of each customer what history comes to?"""

from collections.abc import Callable
from typing import NamedTuple

from domain.event_types import type_keys
from domain.restatements.events import MonthsRestated
from replay.restatements.one_customer import Restating
from streams.journal import Journal


class Verified(NamedTuple):
    """How many words of a restatement hold, and were computed again; and whose differ, by name."""

    restatement: str
    computed: int
    differ: tuple[str, ...]


def verified(journal: Journal, name: str, progress: Callable[[int], None]) -> Verified:
    """Compute each once more, from what was recorded before it; the forgotten are left out."""
    computed, differ = 0, list[str]()
    for shard in journal:
        restating = Restating(shard, [])
        for event in shard.events(sorted(type_keys(MonthsRestated))):
            said = event.data
            assert isinstance(said, MonthsRestated)
            if said.restatement != name or not restating.holds(event):
                continue
            computed += 1
            if not restating.is_so(event):
                differ.append(event.stream)
            progress(1)
    return Verified(name, computed, tuple(differ))
