"""Is what a restatement recorded of each customer what history comes to?"""

from collections.abc import Callable
from typing import NamedTuple

from domain.restatements.lifecycle import Restatement
from replay.restatements.one_customer import Restating
from streams.journal import Journal


class Verified(NamedTuple):
    """How many words of a restatement hold, and were computed again; how many did not hold, because
    something came between; whose differ, by name; and whether as many customers have a word that
    holds as were said to be reached, those included who cannot be read any more.
    """

    restatement: str
    computed: int
    not_held: int
    differ: tuple[str, ...]
    all_reached: bool


def verified(
    journal: Journal, name: str, known: Restatement, progress: Callable[[int], None]
) -> Verified:
    """Compute each once more, from what was recorded before it, for the events that were approved.

    The forgotten are left out.
    """
    computed, not_held, differ, reached = 0, 0, list[str](), set[str]()
    for shard in journal:
        upto = known.approvals[-1].upto[shard.number] if known.approvals else None
        restating = Restating(shard, name, known.scope, upto=upto)
        for event in restating.words():
            sound = restating.is_so(event)
            computed += sound is not None
            not_held += sound is None
            differ += [event.stream] if sound is False else []
            reached |= {event.stream} if sound is not None else set()
            progress(1)
        reached |= {each for each in restating.told() if not restating.can_read(each)}
    all_reached = known.applied is None or len(reached) >= known.applied
    return Verified(name, computed, not_held, tuple(differ), all_reached)
