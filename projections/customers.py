"""How does one event change all that we know of a customer? Facts first, then the standing under the policy.

Two stages: the ledger turns events into a row of facts at each month's end, without any rule; the rows, and
overrides, make the tier. So a change of rule never touches the first stage.
"""

from collections.abc import Sequence
from functools import partial

from domain.accounts import TransactionPosted
from domain.catalogue import topic_of
from domain.change import changed
from domain.days import DayClosed, ends_month
from domain.interaction import Interaction
from domain.policy import TierPolicy
from domain.recorded import Recorded
from projections import ledger, months, profile, tier
from projections.projection import Group, Run, States

PROFILE, LEDGER, MONTHS, TIER = range(4)
"""Where each state stands among the states of the group."""


def evolve(policy: TierPolicy, states: States, event: Recorded) -> States:
    """Profile, ledger, months and standing after one more event."""
    who, books, facts, standing = states
    books, rows = ledger.advance(books, event)
    for row in rows:
        known = changed(row, traits=profile.traits(who))
        facts = months.evolve(facts, known)
        standing = tier.evolve(policy, standing, known)
    return profile.evolve(who, event), books, facts, tier.evolve(policy, standing, event)


def evolve_posted(states: States, events: Sequence[ledger.Posted]) -> States:
    """All states after several transactions, which only the ledger folds."""
    who, books, facts, standing = states
    return who, ledger.evolve_posted(books, events), facts, standing


RUNS = {topic_of(TransactionPosted): Run(ledger.Posted, evolve_posted)}


def ends_a_month(data: Interaction) -> bool:
    """Whether this is the end of a month, which concerns every customer."""
    return isinstance(data, DayClosed) and ends_month(data.date)


def customers_under(policy: TierPolicy) -> Group:
    """The group that folds customers, with tiers under a policy.

    It is named after what the policy says: under another policy it has another place, filled from the journal.
    """
    parts = (profile.PROFILE, ledger.LEDGER, months.MONTHS, tier.tier_under(policy))
    name = f"customers@1/{policy.label}/{policy.digest[:8]}"
    return Group(name, "customer", parts, partial(evolve, policy), everyone=ends_a_month, runs=RUNS)
