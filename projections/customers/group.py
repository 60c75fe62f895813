"""How does one event change all that we know of a customer? Facts first, then the standing under a policy.

Two stages, each a group with a place of its own: the ledger turns events into a row of facts at each month's end,
without any rule; the rows, and what was set by hand, make the tier. So a change of rule never touches the first stage.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain

from domain.accounts.events import TransactionPosted
from domain.accounts.ledger import Ledger
from domain.bank.events import DayClosed
from domain.calendar import ends_month, last_day, month_of
from domain.customers.events import ChannelVisited
from domain.envelope import Proposed, Recorded, following
from domain.event import Interaction
from domain.event_types import topic_of
from domain.fastcopy import changed
from domain.households.events import ShardMonthReported, WholeMonthClosed
from domain.households.membership import counted_on
from domain.offers.events import OfferAccepted, OfferDecided, OfferDeclined, OfferPresented
from domain.rollout.events import RULED
from domain.tiering.events import TierOverridden
from domain.tiering.policy import TierPolicy
from projections.accounts import ledger, months
from projections.accounts.rates import RATES
from projections.customers import profile
from projections.households import reactions as belonging
from projections.models import forecast as foresight
from projections.projection import Group, Run, Source, States
from projections.tiering import standing as tier

PROFILE, LEDGER, MONTHS, TIER = range(4)
"""Where each state stands among the states of a customer; the first three are the facts."""
STANDINGS = RULED
"""What a group of standings is called, before the version and its policy."""


def evolve(states: States, event: Recorded) -> States:
    """Profile, ledger and months after one more event.

    A month that is closed together with a later one is closed too late for any household: it counts for the customer alone.
    """
    who, books, facts = states
    if isinstance(event.data, OfferDecided):
        return states
    books, rows = ledger.advance(books, event)
    for row in rows:
        wholes = counted_on(who.memberships, last_day(row.month)) if row is rows[-1] else {}
        facts = months.evolve(facts, changed(row, traits=profile.traits(who), wholes=wholes))
    return profile.evolve(who, event), books, facts


def evolve_posted(states: States, events: Sequence[ledger.Posted]) -> States:
    """All states after several transactions, which only the ledger folds."""
    who, books, *others = states
    return who, ledger.evolve_posted(books, events), *others


def evolve_visited(states: States, events: Sequence[profile.Visited]) -> States:
    """All states after several visits."""
    who, books, *others = states
    return profile.evolve_visited(who, events), _dated(books, events), *others


def evolve_met(states: States, events: Sequence[profile.Met]) -> States:
    """All states after several events that tell only that the customer was there."""
    who, books, *others = states
    return profile.evolve_met(who, events), _dated(books, events), *others


def _dated(books: Ledger, events: Sequence[profile.Met | ledger.Dated]) -> Ledger:
    return ledger.evolve_dated(books, [event.business_date for event in events])


def ends_a_month(data: Interaction) -> bool:
    """Whether this is the end of a month, which concerns every customer."""
    return isinstance(data, DayClosed) and ends_month(data.date)


def react(stream: str, before: States, after: States, event: Recorded) -> Iterable[Proposed]:
    """What follows: households and company groups learn who joins and leaves, and what a member's month came to; models learn from it."""
    if after[PROFILE].memberships is not before[PROFILE].memberships:
        return belonging.moved(stream, before[PROFILE].memberships, after[PROFILE].memberships, event)
    if after[MONTHS] is not before[MONTHS]:
        closed = after[MONTHS].rows.keys() - before[MONTHS].rows.keys()
        told = belonging.reported(stream, {month: after[MONTHS].rows[month] for month in closed}, event)
        return chain(told, *(foresight.examples(stream, after[MONTHS].rows, month, event) for month in sorted(closed)))
    return ()


def swept(event: Recorded, shard: int, shards: int) -> Proposed:
    """The shard has closed a month for all its customers."""
    assert isinstance(event.data, DayClosed)
    month = month_of(event.data.date)
    return following(event, "month", f"month:{month}", ShardMonthReported(month=month, shard=shard, shards=shards))


RUNS = {
    topic_of(TransactionPosted): Run(ledger.Posted, evolve_posted),
    topic_of(ChannelVisited): Run(profile.Visited, evolve_visited),
    **{topic_of(event): Run(profile.Met, evolve_met) for event in (OfferPresented, OfferAccepted, OfferDeclined)},
}
"""What there is most of."""
DEAF = frozenset({topic_of(OfferDecided)})
"""What the bank decides to offer is no fact about a customer, and there are as many of these as there are questions."""
FACTS = (profile.PROFILE, ledger.LEDGER, months.MONTHS)
CUSTOMERS = Group("customers@1", ("customer",), FACTS, evolve, everyone=ends_a_month, react=react, swept=swept, runs=RUNS, context=RATES, deaf=DEAF)


def _stand(policy: TierPolicy, states: States, event: Recorded) -> States:
    standing, facts = states
    return tier.evolve(policy, standing, event, facts.rows), facts


def standings(version: str, policy: TierPolicy, facts: str = CUSTOMERS.name) -> Group:
    """The group that folds standings under a policy, from the rows of facts that the group `facts` has folded."""
    topics = frozenset(topic_of(event) for event in (TierOverridden, DayClosed, WholeMonthClosed))
    source = Source(facts, months.MONTHS)
    return Group(f"{STANDINGS}/{version}", ("customer",), (tier.tier_under(policy),), partial(_stand, policy), topics, ends_a_month, source=source)


def _evolve_all(policy: TierPolicy, states: States, event: Recorded) -> States:
    *facts, standing = states
    who, books, rows = evolve(tuple(facts), event)
    return who, books, rows, tier.evolve(policy, standing, event, rows.rows)


def customers_under(policy: TierPolicy) -> Group:
    """Both stages in one, for folding history in memory: facts, and the standing under a policy."""
    parts = (*FACTS, tier.tier_under(policy))
    return Group("history", ("customer",), parts, partial(_evolve_all, policy), everyone=ends_a_month, runs=RUNS, context=RATES, deaf=DEAF)
