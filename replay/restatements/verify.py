"""Is what a restatement recorded of each customer what history comes to?"""

from collections.abc import Callable
from typing import NamedTuple

from domain.restatements.scope import Scope
from replay.restatements.one_customer import Restating
from streams.journal import Journal


class Verified(NamedTuple):
    """How many words of a restatement hold, and were computed again; and whose differ, by name."""

    restatement: str
    computed: int
    differ: tuple[str, ...]


def verified(
    journal: Journal, name: str, scope: Scope, progress: Callable[[int], None]
) -> Verified:
    """Compute each once more, from what was recorded before it; the forgotten are left out."""
    computed, differ = 0, list[str]()
    for shard in journal:
        restating = Restating(shard, name, scope)
        for event in restating.words():
            sound = restating.is_so(event)
            computed += sound is not None
            differ += [event.stream] if sound is False else []
            progress(1)
    return Verified(name, computed, tuple(differ))
