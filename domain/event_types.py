"""Which interactions are there?

Every event type, under the stable name and version it is stored by.

They are found, not listed: what a room says happened stands in its `events.py`.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import domain
from domain.event import Interaction

PREFIX = "tierfold."
"""What the `type` of an inbound CloudEvent starts with: `tierfold.transaction-posted.v1`."""


def type_name(event: type[Interaction]) -> str:
    """The stable name of an event type.

    >>> from domain.accounts.events import TransactionPosted
    >>> type_name(TransactionPosted)
    'transaction-posted'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()


def type_key(event: type[Interaction]) -> str:
    """The name with its schema version, as it is stored.

    >>> from domain.bank.events import DayClosed
    >>> type_key(DayClosed)
    'day-closed.v1'
    """
    return f"{type_name(event)}.v{event.schema_version}"


def type_keys(*events: type[Interaction]) -> frozenset[str]:
    """The names of several event types, as they are stored."""
    return frozenset(type_key(event) for event in events)


def _discovered() -> Iterator[type[Interaction]]:
    """Every event of every room's `events.py`, less the bases that others are made of, which
    nobody sends.
    """
    for room in sorted(each.name for each in iter_modules(domain.__path__) if each.ispkg):
        if find_spec(f"domain.{room}.events") is None:
            continue
        for thing in vars(import_module(f"domain.{room}.events")).values():
            ours = (
                isinstance(thing, type)
                and issubclass(thing, Interaction)
                and thing.__module__ == f"domain.{room}.events"
            )
            if ours and not vars(thing).get("is_base", False):
                yield thing


EVENTS: dict[str, type[Interaction]] = {}
"""Stable name to model."""
for _event in _discovered():
    if type_name(_event) in EVENTS:
        raise TypeError(
            f"{_event.__module__} has another {type_name(_event)}: a stored name is given once"
        )
    EVENTS[type_name(_event)] = _event
EVENT_BY_TYPE: dict[str, type[Interaction]] = {type_key(event): event for event in EVENTS.values()}
TYPE_BY_EVENT: dict[type[Interaction], str] = {
    event: event_type for event_type, event in EVENT_BY_TYPE.items()
}
OF_SHARDS = type_keys(*(event for event in EVENTS.values() if "shard" in event.concerns))
"""The stored types that concern everyone in a shard."""


def event_fields() -> dict[str, list[str]]:
    """The fields of every event, by its stable name."""
    return {name: [*event.model_fields] for name, event in EVENTS.items()}
