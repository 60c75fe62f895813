"""How does everything that is known of a customer follow from history alone? Facts, complaints and the standing in one fold, in memory."""

from functools import partial
from typing import NamedTuple

from domain.accounts.ledger import Ledger
from domain.envelope import Recorded
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import Months
from projections.bank.context import CONTEXT, ends_a_month
from projections.cases import complaints
from projections.cases.complaints import COMPLAINTS, Complaints
from projections.customers import group
from projections.customers.profile import Profile
from projections.customers.states import Facts
from projections.projection import Group
from projections.tiering import standing


class History(NamedTuple):
    """All states of a customer that a tier is made from, and the tier."""

    profile: Profile
    ledger: Ledger
    months: Months
    complaints: Complaints
    standing: Standing


def _evolve(policy: TierPolicy, states: History, event: Recorded) -> History:
    who, books, months = group.evolve(Facts(*states[:3]), event)
    said = complaints.evolve(states.complaints, event)
    rows = complaints.with_disputes(months.rows, said)
    return History(who, books, months, said, standing.evolve(policy, states.standing, event, rows))


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
