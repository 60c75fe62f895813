"""How does everything that is known of a customer follow from history alone?

Facts, complaints and the standing in one fold, in memory.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Self, cast

from domain.customers.events import IdentityTold
from domain.envelope import Recorded
from domain.households.events import WholeMonthClosed
from domain.restatements.events import MonthsRestated
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import MONTHS, Months
from projections.bank.day_end import CONTEXT, ends_a_month
from projections.cases import complaints
from projections.cases.complaints import COMPLAINTS, Complaints, with_disputes
from projections.customers import group
from projections.customers.states import Facts
from projections.feedback.experience import EXPERIENCE
from projections.offers.responses import Offers
from projections.projection import Group
from projections.rollout.versions import Rules
from projections.tiering import standing
from projections.views.customer import Customer

INTERNAL = (IdentityTold, MonthsRestated, WholeMonthClosed)
"""What the bank's own streams tell each other: no history of a customer's."""


class History(tuple[Any, ...]):  # noqa: SLOT001 - a tuple has none
    """All states that a tier is made from, and behind them the tier in each scheme."""

    def __new__(cls, *states: Any) -> Self:
        """The states by part."""
        return super().__new__(cls, states)

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Trap: a tuple would give itself, as one state, to whoever copies it."""
        return tuple(self)

    @property
    def facts(self) -> Facts:
        """Profile, ledger, months and identity."""
        return Facts(*self[:OWN])

    @property
    def complaints(self) -> Complaints:
        """The complaints."""
        return cast("Complaints", self[OWN])

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The standing in each scheme."""
        return self[OWN + 1 :]


OWN = len(Facts._fields)
"""The facts that stand before the others."""


def _evolve(policies: Sequence[TierPolicy], states: History, event: Recorded) -> History:
    facts = group.evolve(states.facts, event)
    said = complaints.evolve(states.complaints, event)
    rows = with_disputes(facts.months.known_at(event), said)
    if not facts.months.heeds(event):
        return History(*facts, said, *states.standings)
    standings = (
        standing.evolve(policy, before, event, rows)
        for policy, before in zip(policies, states.standings, strict=True)
    )
    return History(*facts, said, *standings)


def customers_under(policies: Iterable[TierPolicy]) -> Group:
    """Everything in one group, for folding history in memory, under policies of several schemes."""
    policies = tuple(policies)
    parts = (*group.CUSTOMERS.parts, COMPLAINTS, *map(standing.tier_under, policies))
    return Group(
        "history",
        ("customer",),
        History,
        parts,
        partial(_evolve, policies),
        is_broadcast=ends_a_month,
        runs=group.RUNS,
        context=CONTEXT,
        ignored_types=group.IGNORED,
    )


def customer_then(stream: str, states: History, rules: Rules) -> Customer:
    """What of a customer makes a tier, as a number of a person who may have others."""
    tiers, facts = rules.tiers(states.standings), states.facts
    first = tiers.stands[0]
    return Customer(
        stream=stream,
        profile=facts.profile,
        ledger=facts.ledger,
        months=facts.months,
        standing=first.standing,
        offers=Offers(),
        policy=first.policy,
        complaints=states.complaints,
        identity=facts.identity,
        experience=facts.experience,
        stands=tiers.stands,
        precedence=tiers.precedence,
        scheme=first.scheme,
    )


def as_shown(who: Customer) -> dict[str, Any]:
    """The states by projection, as people are shown them.

    Each month with how many complaints were open at its end; those of a person who has several
    numbers have that already.
    """
    return {
        "profile": who.profile,
        "ledger": who.ledger,
        MONTHS.name: who.months if who.numbers else Months(dict(who.rows)),
        "identity": who.identity,
        EXPERIENCE.name: who.experience,
        COMPLAINTS.name: who.complaints,
        **{standing.tier_under(each.policy).name: each.standing for each in who.stands},
    }
