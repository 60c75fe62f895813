"""What does the journal know of an event beside its data?"""

from datetime import date, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from domain.interaction import Interaction

PERSONAL = ("customer", "household", "company", "manager", "case")
"""Kinds of stream whose events are about somebody."""
REACTIONS = "tierfold/reactions"
"""The source of what follows from events."""


class Proposed(NamedTuple):
    """An interaction at the front door, valid but not yet recorded.

    `id` and `source` together name it for ever (CloudEvents); `occurred_at` is aware, `business_date` is the
    bank's own; `cause` is the `source#id` of the event that it follows from.
    """

    source: str
    id: str
    stream: str
    occurred_at: datetime
    business_date: date
    data: Interaction
    cause: str | None = None

    @property
    def subject(self) -> str | None:
        """Whom this is about, as the name of their stream: with whose key it is sealed. None if it is about nobody."""
        if self.data.whom is not None:
            return str(getattr(self.data, self.data.whom))
        return self.stream if self.stream.partition(":")[0] in PERSONAL else None


class Recorded(NamedTuple):
    """An interaction in the journal: `version` counts within its stream from 1, `position` rises within the shard.

    `context` is what the shard's own stream had said by then, for a fold of an event that concerns everyone.
    """

    position: int
    stream: str
    version: int
    source: str
    id: str
    occurred_at: datetime
    business_date: date
    recorded_at: datetime
    cause: str | None
    data: Interaction
    context: Any = None


def following(event: Recorded, kind: str, stream: str, data: Interaction, about: str = "") -> Proposed:
    """An interaction that follows from an event, named after its cause; `about` tells it from others of the kind with the same cause."""
    cause = f"{event.source}#{event.id}"
    name = f"{kind}:{sha256((cause + about).encode()).hexdigest()}"
    return Proposed(REACTIONS, name, stream, event.occurred_at, event.business_date, data, cause)
