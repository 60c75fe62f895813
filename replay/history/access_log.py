"""Who looked at what is known of a customer?

Looks from the access journal, and decisions what to offer, which are looks too.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge, nlargest
from typing import Any, NamedTuple

from domain.access.events import DataLookedUp
from domain.access.roles import access_stream
from domain.offers.events import OfferDecided
from replay.history.as_of import history
from streams.broker.routing import shard_of
from streams.journal import Journal


class Looked(NamedTuple):
    """A look, and when it was."""

    at: datetime
    look: DataLookedUp


def accesses_of(journal: Journal, stream: str) -> Iterator[Looked]:
    """Every look at a customer, household or company group, by the time of it."""
    return merge(_looks(journal, stream), _decisions(journal, stream), key=lambda each: each.at)


def latest_accesses(
    journal: Journal, streams: Iterable[str], before: datetime | None, limit: int
) -> list[Looked]:
    """The last looks at somebody with these numbers before a moment, the newest first."""
    every = (each for stream in streams for each in accesses_of(journal, stream))
    earlier = (each for each in every if before is None or each.at < before)
    return nlargest(limit, earlier, key=lambda each: each.at)


def as_told(looked: Looked) -> dict[str, Any]:
    """A look, as it is told: when, who, as what, for what, which question, about whom."""
    return {"at": looked.at.isoformat(), **looked.look.model_dump(mode="json")}


def _looks(journal: Journal, about: str) -> Iterator[Looked]:
    stream = access_stream(about)
    for event in history(journal[shard_of(stream, len(journal))], stream):
        if isinstance(event.data, DataLookedUp):
            yield Looked(event.occurred_at, event.data)


def _decisions(journal: Journal, stream: str) -> Iterator[Looked]:
    for event in history(journal[shard_of(stream, len(journal))], stream):
        if isinstance(event.data, OfferDecided) and event.data.asked is not None:
            yield Looked(
                event.occurred_at,
                DataLookedUp(**event.data.asked.model_dump(), what="next-best-offer", about=stream),
            )
