"""What do the states come to when they are folded from the journal anew?"""

from collections.abc import Callable, Sequence

from projections.projection import Group
from projections.store import MemoryStore, Store
from streams.folding import Folding
from streams.journal import Journal


async def rebuild(groups: Sequence[Group], journal: Journal, progress: Callable[[int], None] = lambda _n: None) -> Store:
    """Fold every shard of the journal into states in memory. Nothing is sent: reactions do not run."""
    store = MemoryStore()
    for group in groups:
        for shard in journal:
            progress(await Folding(group, shard.number, store, journal).catch_up())
    return store
