"""What was known then of a person who has several numbers?

The numbers that were one person's then, each folded by itself, and put together as the read models
are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from domain.customers.identity import Identity, numbers_of
from domain.tiering.policy import Scope
from projections.households.group import CUSTOMER_GROUPS
from projections.rollout.versions import Rules
from projections.views.customer import Customer
from projections.views.history import as_shown, customer_then, customers_under
from projections.views.person import Whole, people_of, person_of, wholes_asked
from replay.history.as_of import as_of, members_then
from streams.journal import Journal


@dataclass(frozen=True)
class Then:
    """The states of a customer by projection, and all numbers of a person who had several."""

    states: dict[str, Any]
    numbers: tuple[str, ...] = ()


def person_as_of(
    journal: Journal,
    rules: Rules,
    stream: str,
    recorded: datetime | None = None,
    occurred: date | None = None,
) -> Then | None:
    """A customer as known then, of what was true then, by any number; None if nothing was."""
    who = customer_as_of(journal, rules, stream, recorded, occurred)
    if who is None:
        return None
    return Then(as_shown(who), who.numbers)


def customer_as_of(
    journal: Journal,
    rules: Rules,
    stream: str,
    recorded: datetime | None = None,
    occurred: date | None = None,
) -> Customer | None:
    """The same, as what is asked about a tier."""
    group = customers_under(rules.policies.values())
    own = as_of(journal, group, stream, recorded, occurred)
    if own is None:
        return None
    others = {
        other: as_of(journal, group, other, recorded, occurred)
        for other in others_of(own.facts.identity, stream)
    }
    each = [
        customer_then(name, states, rules)
        for name, states in {stream: own, **others}.items()
        if states is not None
    ]
    if not others:
        return each[0]
    return person_of(each, wholes_then(journal, rules, each, recorded, occurred))


def others_of(identity: Identity, stream: str) -> list[str]:
    """The other numbers of a person, in their order."""
    return [number for number in numbers_of(identity, stream) if number != stream]


def wholes_then(
    journal: Journal,
    rules: Rules,
    each: Sequence[Customer],
    recorded: datetime | None = None,
    occurred: date | None = None,
    upto: dict[str, int] | None = None,
) -> dict[str, list[Whole]]:
    """The households and groups that tier policies ask for of these numbers, as they were, by
    scheme.

    `upto` has the position by which each is asked for, where that is known.
    """
    return {
        scheme: [
            _whole(journal, name, policy.scope, recorded, occurred, (upto or {}).get(name))
            for name in sorted(wholes_asked(policy.scope, (one.months.rows for one in each)))
        ]
        for scheme, policy in rules.policies.items()
        if policy.scope is not None
    }


def _whole(
    journal: Journal,
    name: str,
    scope: Scope | None,
    recorded: datetime | None,
    occurred: date | None,
    upto: int | None,
) -> Whole:
    totals: Any = CUSTOMER_GROUPS.initial
    whole = (as_of(journal, CUSTOMER_GROUPS, name, recorded, occurred, upto) or totals).whole
    if scope is None or scope.take != "max":
        return Whole(name, whole, upto or 0)
    known = members_then(journal, sorted(whole.members), recorded, occurred)
    return Whole(name, whole, upto or 0, people_of(known))
