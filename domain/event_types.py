"""Which interactions are there? Every event type, under the stable name and version it is stored by."""

import re
from types import ModuleType

from domain import calendar as days
from domain.access import events as privacy
from domain.access import roles as access
from domain.accounts import events as accounts
from domain.accounts import exchange as currencies
from domain.campaigns import events as campaigns
from domain.cases import events as cases
from domain.customers import events as customers
from domain.event import Interaction
from domain.households import events as wholes
from domain.households import relations
from domain.offers import events as offers
from domain.rollout import lifecycle as versions
from domain.tiering import assessment as tiering

BASES = (versions.Step,)
"""What other events are made of, and nobody sends."""
PREFIX = "tierfold."
"""What the `type` of an inbound CloudEvent starts with: `tierfold.transaction-posted.v1`."""


def type_name(event: type[Interaction]) -> str:
    """The stable name of an event type.

    >>> type_name(accounts.TransactionPosted)
    'transaction-posted'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()


def _events_of(subject: ModuleType) -> list[type[Interaction]]:
    found = [thing for thing in vars(subject).values() if isinstance(thing, type) and issubclass(thing, Interaction)]
    return [event for event in found if event.__module__ == subject.__name__ and event not in BASES]


SUBJECTS = (customers, relations, accounts, cases, campaigns, offers, tiering, days, currencies, versions, wholes, privacy, access)

EVENTS: dict[str, type[Interaction]] = {type_name(event): event for subject in SUBJECTS for event in _events_of(subject)}
"""The catalogue: stable name to model."""


def topic_of(event: type[Interaction]) -> str:
    """The name with its schema version, as it is stored.

    >>> topic_of(days.DayClosed)
    'day-closed.v1'
    """
    return f"{type_name(event)}.v{event.schema_version}"


TOPICS: dict[str, type[Interaction]] = {topic_of(event): event for event in EVENTS.values()}
TOPIC_BY_EVENT: dict[type[Interaction], str] = {event: topic for topic, event in TOPICS.items()}
