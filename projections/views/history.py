"""How does everything that is known of a customer follow from history alone?

Facts, complaints and the standing in one fold, in memory.
"""

from functools import partial
from typing import Any, NamedTuple

from domain.accounts.ledger import Ledger
from domain.customers.identity import Identity
from domain.envelope import Recorded
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import MONTHS, Months
from projections.bank.day_end import CONTEXT, ends_a_month
from projections.cases import complaints
from projections.cases.complaints import COMPLAINTS, Complaints, with_disputes
from projections.customers import group
from projections.customers.profile import Profile
from projections.customers.states import Facts
from projections.offers.responses import Offers
from projections.projection import Group
from projections.tiering import standing
from projections.views.customer import Customer


class History(NamedTuple):
    """All states of a customer that a tier is made from, and the tier."""

    profile: Profile
    ledger: Ledger
    months: Months
    identity: Identity
    complaints: Complaints
    standing: Standing


def _evolve(policy: TierPolicy, states: History, event: Recorded) -> History:
    facts = group.evolve(Facts(*states[:4]), event)
    said = complaints.evolve(states.complaints, event)
    rows = with_disputes(facts.months.rows, said)
    return History(*facts, said, standing.evolve(policy, states.standing, event, rows))


def customers_under(policy: TierPolicy) -> Group:
    """Everything in one group, for folding history in memory."""
    parts = (*group.CUSTOMERS.parts, COMPLAINTS, standing.tier_under(policy))
    return Group(
        "history",
        ("customer",),
        History,
        parts,
        partial(_evolve, policy),
        is_broadcast=ends_a_month,
        runs=group.RUNS,
        context=CONTEXT,
        ignored_types=group.IGNORED,
    )


def customer_then(stream: str, states: History, policy: TierPolicy) -> Customer:
    """What of a customer makes a tier, as a number of a person who may have others."""
    return Customer(
        stream=stream,
        profile=states.profile,
        ledger=states.ledger,
        months=states.months,
        standing=states.standing,
        offers=Offers(),
        policy=policy,
        complaints=states.complaints,
        identity=states.identity,
    )


def as_shown_together(person: Customer) -> dict[str, Any]:
    """The same of a person who has several numbers."""
    return {
        "profile": person.profile,
        "ledger": person.ledger,
        "months": person.months,
        "identity": person.identity,
        "complaints": person.complaints,
        "tier": person.standing,
    }


def as_shown(states: Any) -> dict[str, Any]:
    """The states by projection, as people are shown them.

    Each month with how many complaints were open at its end.
    """
    said = dict(zip(NAMES, states, strict=True))
    return {**said, MONTHS.name: Months(dict(with_disputes(states.months.rows, states.complaints)))}


NAMES = (*(part.name for part in group.CUSTOMERS.parts), COMPLAINTS.name, "tier")
"""What the projections of the states are called."""
