"""A journal in which tests record what they like, at a time that they say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.envelope import Proposed
from streams.broker.routing import shard_of, spread
from streams.journal import Arrival, Journal, LogOffset

SHARDS = 2
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of two shards."""
    made = Journal(f"sqlite://{tmp_path}/journal", SHARDS)
    for shard in made:
        shard.claim()
    yield made
    made.close()


def record(journal: Journal, events: list[Proposed], at: datetime = BEGUN) -> None:
    """Record events, each shard's in one commit."""
    copies = [copy for event in events for copy in spread(event, SHARDS)]
    for shard in journal:
        own = [event for event in copies if shard_of(event.stream, SHARDS) == shard.number]
        offset = shard.tracked("log") + 1
        shard.record(
            [Arrival(offset, item, b"", event) for item, event in enumerate(own)],
            LogOffset("log", offset),
            at,
        )
