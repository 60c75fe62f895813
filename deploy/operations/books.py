"""How do managers learn whom they look after by what an earlier release recorded?

That release told them nothing. What it would have told is told now, under the same names. Of
several words of a customer that of their latest event holds, in whatever order they come.
"""

import asyncio
from collections.abc import Callable, Iterator

from deploy.settings import Settings
from deploy.wiring import existing_journal, producer_of
from domain.envelope import Proposed
from domain.event_types import type_key
from domain.managers.events import ManagerAssigned
from projections.managers.book import told
from replay.rollout.front_door import record
from streams.journal import Shard

AT_ONCE = 1_000


def tell_managers(settings: Settings, progress: Callable[[int], None]) -> int:
    """Tell managers of every assignment; gives how many words that took. Raises `NotSeen`."""
    journal, count = existing_journal(settings), 0
    with producer_of(settings, journal) as producer:
        for shard in journal:
            words = [*_words(shard)]
            for start in range(0, len(words), AT_ONCE):
                some = words[start : start + AT_ONCE]
                asyncio.run(record(journal, producer, some))
                progress(len(some))
            count += len(words)
    return count


def _words(shard: Shard) -> Iterator[Proposed]:
    by: dict[str, str] = {}
    for event in shard.events([type_key(ManagerAssigned)]):
        assert isinstance(event.data, ManagerAssigned)
        yield from told(event.stream, by.get(event.stream), event.data.manager, event)
        by[event.stream] = event.data.manager
