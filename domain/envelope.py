"""What does the journal know of an event beside its data?"""

from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import BaseModel

from domain.event import Interaction

PERSONAL = ("customer", "household", "company", "manager", "case")
"""Kinds of stream whose events are about somebody."""
REACTIONS = "tierfold/reactions"
"""The source of what follows from events."""
BY = "@"
"""Between the name of a reaction and the stream of its cause."""


PLAIN = (str, int, bool, float, type(None), date, datetime)
"""What has nothing in it that could be in another order."""


class Proposed(NamedTuple):
    """An interaction at the front door, valid but not yet recorded.

    `id` and `source` together name it for ever (CloudEvents); `occurred_at` is aware,
    `business_date` is the bank's own; `cause` is the `source#id` of the event that it follows from.
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
        """Whom this is about, as the name of their stream: with whose key it is sealed.

        None if it is about nobody.
        """
        if self.data.whom is not None:
            return str(getattr(self.data, self.data.whom))
        return self.stream if self.stream.partition(":")[0] in PERSONAL else None


class Recorded(NamedTuple):
    """An interaction in the journal.

    `version` counts within its stream from 1, `position` rises within the shard.

    `context` is what the shard's own stream had said by then, for a fold of an event that concerns
    everyone.
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

    def proposed(self) -> Proposed:
        """The event as it was handed in."""
        return Proposed(
            self.source,
            self.id,
            self.stream,
            self.occurred_at,
            self.business_date,
            self.data,
            self.cause,
        )


def following(
    event: Recorded, kind: str, stream: str, data: Interaction, about: str = "", *, by: str = ""
) -> Proposed:
    """An interaction that follows from an event, named after its cause.

    `about` tells it from others of the kind with the same cause. `by` is the stream of the cause
    where other streams may have a cause of that name and tell the same `stream`.

    Trap: a state that was kept and read again has its dicts in another order than one that was only
    folded, and what follows from it once more would be another content under the same name. So what
    follows has its dicts in order.
    """
    cause = f"{event.source}#{event.id}"
    name = f"{kind}:{sha256((cause + about).encode()).hexdigest()}"
    name += f"{BY}{sha256(by.encode()).hexdigest()[:32]}" if by else ""
    return Proposed(
        REACTIONS, name, stream, event.occurred_at, event.business_date, in_order(data), cause
    )


def older_name(event: Proposed) -> Proposed | None:
    """What follows, as releases named it that took each cause to be named once in the whole bank.

    None if they named it alike.
    """
    older, found, _ = event.id.partition(BY)
    return event._replace(id=older) if found else None


def in_order(value: Any) -> Any:
    """The same with every dict in the order of its keys, however deep.

    >>> in_order(({"b": 1, "a": {"d": 2, "c": 3}},))
    ({'a': {'c': 3, 'd': 2}, 'b': 1},)
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is dict:
        return {key: in_order(value[key]) for key in sorted(value)}
    if kind is tuple:
        return tuple(map(in_order, value))
    if isinstance(value, BaseModel):
        return value.model_copy(
            update={name: in_order(each) for name, each in value.__dict__.items()}
        )
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{each.name: in_order(getattr(value, each.name)) for each in fields(value)}
        )
    return value
