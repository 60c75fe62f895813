"""What is otherwise at one moment than at another, and which events lie between?"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from domain.event_types import TYPE_BY_EVENT
from projections.rollout.versions import Rules
from projections.views.history import INTERNAL
from replay.history.as_of import Moment, history
from replay.history.changes import changes
from replay.history.person import Then, person_as_of
from streams.broker.routing import shard_of
from streams.journal import Journal

EMPTY: tuple[Any, ...] = (None, {}, [])
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
    before, after = (
        person_as_of(journal, rules_then(moment.occurred, moment.recorded), stream, *moment)
        for moment in (first, second)
    )
    if before is None and after is None:
        return None
    then, now = _told(before), _told(after)
    _align(then, now)
    known = [{*(each.numbers or (stream,))} if each else set[str]() for each in (before, after)]
    numbers = tuple(sorted({number for each in (before, after) if each for number in each.numbers}))
    events = _between(journal, (first, second), known)
    return Apart(then, now, numbers, tuple(events))


def _told(then: Then | None) -> dict[str, Any]:
    """States as JSON has them, sets in order."""
    return msgspec.to_builtins(then.states, order="sorted") if then else {}


def _align(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Name the same accounts in both, those that are not there as nothing: so that one account has
    one masked number.
    """
    for part in ("accounts", "shares"):
        both = [each["ledger"][part] for each in (before, after) if "ledger" in each]
        for number in sorted({number for some in both for number in some}):
            for some in both:
                some[number] = some.pop(number, None)


def _between(
    journal: Journal, moments: Sequence[Moment], known: Sequence[Collection[str]]
) -> Iterator[Between]:
    """The events that count at one of two moments alone, number by number; what the bank's own
    streams tell each other is left out. `known` has the person's numbers at each.
    """
    for number in sorted({*known[0], *known[1]}):
        for event in history(journal[shard_of(number, len(journal))], number):
            was, came = (
                number in numbers and moment.knows(event)
                for moment, numbers in zip(moments, known, strict=True)
            )
            if was != came and not isinstance(event.data, INTERNAL):
                yield Between(
                    number,
                    event.position,
                    event.version,
                    TYPE_BY_EVENT[type(event.data)],
                    event.business_date,
                    event.recorded_at,
                    came,
                )


def currencies(*of_each: Mapping[str, Any]) -> dict[str, str]:
    """The currency of each account in some states, for its amounts."""
    return {
        number: account["currency"]
        for states in of_each
        for number, account in states.get("ledger", {}).get("accounts", {}).items()
        if account
    }


def changed_places(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each place of two states that says something else, with what it says; None where it says
    nothing.
    """
    return [
        {"place": place, "before": was, "after": now}
        for place, was, now in (
            (each.place, _value(each.before), _value(each.after))
            for each in changes(dict(before), dict(after))
        )
        if was not in EMPTY or now not in EMPTY
    ]


def _value(said: str) -> Any:
    return msgspec.json.decode(said) if said else None
