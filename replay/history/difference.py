"""What is otherwise at one moment than at another, and which events lie between?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from domain.event_types import TYPE_BY_EVENT
from projections.rollout.versions import Rules
from replay.history.as_of import Moment, history
from replay.history.changes import changes
from replay.history.person import person_as_of
from streams.broker.routing import shard_of
from streams.journal import Journal

RulesThen = Callable[[date | None, datetime | None], Rules]
"""The tier policies in force on a day, of what was decided by a time."""


@dataclass(frozen=True)
class Between:
    """An event that counts at one of two moments alone: where it stands, not what it says.

    `came` says that it counts at the second.
    """

    number: str
    position: int
    version: int
    type: str
    business_date: date
    recorded_at: datetime
    came: bool


class Apart(NamedTuple):
    """The states of a customer at two moments, empty where nothing was known; all numbers of a
    person who had several; and the events between.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    numbers: tuple[str, ...]
    events: tuple[Between, ...]


def apart(
    journal: Journal, rules_then: RulesThen, stream: str, first: Moment, second: Moment
) -> Apart | None:
    """A customer at two moments; None if nothing was known at either."""
    states, numbers = list[dict[str, Any]](), dict[str, None]()
    for moment in (first, second):
        rules = rules_then(moment.occurred, moment.recorded)
        found = person_as_of(journal, rules, stream, *moment)
        states.append(msgspec.to_builtins(found.states) if found else {})
        numbers |= dict.fromkeys(found.numbers if found else ())
    if not any(states):
        return None
    events = between(journal, [*numbers] or [stream], first, second)
    return Apart(states[0], states[1], tuple(numbers), tuple(events))


def between(
    journal: Journal, numbers: Sequence[str], first: Moment, second: Moment
) -> Iterator[Between]:
    """The events of a person's numbers that count at one of two moments alone, number by number."""
    for number in numbers:
        for event in history(journal[shard_of(number, len(journal))], number):
            if first.knows(event) != (came := second.knows(event)):
                yield Between(
                    number,
                    event.position,
                    event.version,
                    TYPE_BY_EVENT[type(event.data)],
                    event.business_date,
                    event.recorded_at,
                    came,
                )


def currencies(found: Apart) -> dict[str, str]:
    """The currency of each account that was known at either moment, for its amounts."""
    return {
        number: account["currency"]
        for states in (found.before, found.after)
        for number, account in states.get("ledger", {}).get("accounts", {}).items()
    }


def changed_places(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each place of two states that says something else, with what it says; None where it says
    nothing.
    """
    return [
        {"place": each.place, "before": _value(each.before), "after": _value(each.after)}
        for each in changes(dict(before), dict(after))
    ]


def _value(said: str) -> Any:
    return msgspec.json.decode(said) if said else None
