"""How does one event change the facts that are known of a customer?

Profile, ledger and months, without any rule, which other numbers are the same person's, and what
the customer went through.

The ledger turns events into a row of facts at each month's end; the rows, and what was set by hand,
make the tier, in a group of its own. So a change of rule never touches these.
"""

from collections.abc import Sequence
from typing import Any

from domain.accounts.events import TransactionPosted
from domain.accounts.ledger import Ledger
from domain.calendar import last_day
from domain.customers.events import ChannelVisited
from domain.envelope import Recorded
from domain.event_types import type_key, type_keys
from domain.fastcopy import changed
from domain.households.membership import counted_on
from domain.offers.events import OfferAccepted, OfferDecided, OfferDeclined, OfferPresented
from domain.restatements.events import MonthsRestated
from projections.accounts import ledger, months
from projections.bank.day_end import CONTEXT, ends_a_month, months_ended
from projections.customers import profile
from projections.customers.identity import HEARD, IDENTITY
from projections.customers.identity import evolve as evolve_identity
from projections.customers.reactions import after_month_end, react
from projections.customers.states import Facts
from projections.feedback import experience
from projections.projection import Group, Run


def evolve(facts: Facts, event: Recorded) -> Facts:
    """All facts after one more event.

    A month that the bank had closed before the customer came is closed too late for any household:
    it counts for the customer alone.
    """
    who, books, closed, identity, lived = facts
    if isinstance(event.data, OfferDecided):
        return facts
    if isinstance(event.data, HEARD):
        return facts._replace(identity=evolve_identity(identity, event))
    if isinstance(event.data, MonthsRestated):
        return _restated(facts, event.data, event.version)
    books, rows = ledger.advance(books, event)
    ended = {*months_ended(event)} if rows else ()
    for row in rows:
        wholes = counted_on(who.memberships, last_day(row.month)) if row.month in ended else {}
        closed = months.evolve(closed, changed(row, traits=profile.traits(who), wholes=wholes))
    lived = experience.evolve(lived, event)
    return Facts(profile.evolve(who, event), books, closed, identity, lived)


def _restated(facts: Facts, said: MonthsRestated, version: int) -> Facts:
    """The facts with some months restated, unless something came between: see the event."""
    if version != said.after + 1 or facts.ledger.closed_through != said.books_through:
        return facts
    return facts._replace(ledger=said.ledger, months=months.restate(facts.months, said, version))


def evolve_posted(states: Any, events: Sequence[ledger.Posted]) -> Any:
    """All states after several transactions, which only the ledger folds."""
    who, books, *others = states
    return type(states)(who, ledger.evolve_posted(books, events), *others)


def evolve_visited(states: Any, events: Sequence[profile.Visited]) -> Any:
    """All states after several visits."""
    who, books, *others = states
    return type(states)(profile.evolve_visited(who, events), _dated(books, events), *others)


def evolve_met(states: Any, events: Sequence[profile.Met]) -> Any:
    """All states after several events that tell only that the customer was there."""
    who, books, *others = states
    return type(states)(profile.evolve_met(who, events), _dated(books, events), *others)


def _dated(books: Ledger, events: Sequence[profile.Met | ledger.Dated]) -> Ledger:
    return ledger.evolve_dated(books, [event.business_date for event in events])


RUNS = {
    type_key(TransactionPosted): Run(ledger.Posted, evolve_posted),
    type_key(ChannelVisited): Run(profile.Visited, evolve_visited),
    **{
        type_key(event): Run(profile.Met, evolve_met)
        for event in (OfferPresented, OfferAccepted, OfferDeclined)
    },
}
"""What there is most of."""
IGNORED = type_keys(OfferDecided)
"""What the bank decides to offer is no fact about a customer, and there are as many of these as
there are questions.
"""
CUSTOMERS = Group(
    "customers@5",
    ("customer",),
    Facts,
    (profile.PROFILE, ledger.LEDGER, months.MONTHS, IDENTITY, experience.EXPERIENCE),
    evolve,
    is_broadcast=ends_a_month,
    react=react,
    after_broadcast=after_month_end,
    runs=RUNS,
    context=CONTEXT,
    ignored_types=IGNORED,
)
