"""What was known of a customer then, as true then?

History folded again, up to a time of recording and a business date.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from heapq import merge
from operator import attrgetter
from typing import Any, NamedTuple

from domain.accounts.month_end import facts_of, open_month
from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month, month_of
from domain.customers.identity import counted_by_kin, numbers_of
from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.households.membership import Member, Sums, counted_on, summed
from domain.restatements.events import MonthsRestated
from domain.restatements.scope import held, in_place
from projections.bank.day_end import ends_a_month
from projections.customers.group import CUSTOMERS
from projections.customers.states import Facts
from projections.households.group import CUSTOMER_GROUPS
from projections.projection import Group
from streams.broker.routing import shard_of
from streams.folds.bank_context import Context
from streams.journal import Journal, Shard

HISTORY_EVENTS = 1_000


class Moment(NamedTuple):
    """What was recorded at this time or before, of what has this business date or an earlier one;
    None is now.
    """

    recorded: datetime | None = None
    occurred: date | None = None

    def knows(self, event: Recorded) -> bool:
        """Whether an event counts at this moment."""
        return (self.recorded is None or event.recorded_at <= self.recorded) and (
            self.occurred is None or event.business_date <= self.occurred
        )


def events_of(
    journal: Journal,
    group: Group,
    stream: str,
    recorded: datetime | None = None,
    occurred: date | None = None,
    upto: int | None = None,
) -> Iterator[Recorded]:
    """What a group folds for one stream, in the order of the shard.

    Its own events that matter, and those for everyone since the first of them.

    Only what was recorded at a time or before, what has a business date or an earlier one, and what
    stands at a position or before. What was true by a business date has late events where they
    belong, if that was decided by then.
    """
    shard, moment = journal[shard_of(stream, len(journal))], Moment(recorded, occurred)
    if occurred is not None and (said := restated_then(shard, stream, recorded)) is not None:
        own_events = list(history(shard, stream, event_types=group.event_types or ()))
        yield from (
            event
            for event in in_place(own_events, broadcasts(group, shard), said.placed)
            if moment.knows(event) and (upto is None or event.position <= upto)
        )
        return
    own = history(shard, stream, event_types=group.event_types or ())
    first = next(own, None)
    if first is None or (upto is not None and first.position > upto):
        return
    there = False
    for event in merge(
        (first,), own, _for_everyone(group, shard, first.position), key=attrgetter("position")
    ):
        if upto is not None and event.position > upto:
            return
        there = there or (event.stream == stream and moment.knows(event))
        if there and moment.knows(event):
            yield event


def restated_then(
    shard: Shard, stream: str, recorded: datetime | None = None
) -> MonthsRestated | None:
    """What was restated of a customer and holds, by what was recorded at a time or before."""
    said = [
        event
        for event in history(shard, stream, event_types=type_keys(MonthsRestated))
        if recorded is None or event.recorded_at <= recorded
    ]
    holding = [event.data for event in held(said, ends_of_months(shard))] if said else []
    last = holding[-1] if holding else None
    assert last is None or isinstance(last, MonthsRestated)
    return last


def ends_of_months(shard: Shard) -> list[Recorded]:
    """The ends of months of a shard, in order."""
    return [event for event in shard.own() if ends_a_month(event.data)]


def broadcasts(group: Group, shard: Shard) -> list[Recorded]:
    """What concerns every stream of a group, in order."""
    return list(_for_everyone(group, shard, 0))


def _for_everyone(group: Group, shard: Shard, after: int) -> Iterator[Recorded]:
    """What concerns every stream of a group, behind a position."""
    if group.is_broadcast is not None:
        context = Context(group, shard)
        for event in shard.own():
            if event.position > after and group.is_broadcast(event.data):
                yield context.tell(event)


def as_of(
    journal: Journal,
    group: Group,
    stream: str,
    recorded: datetime | None = None,
    occurred: date | None = None,
    upto: int | None = None,
) -> Any:
    """The states of a stream as they were known then, of what was true then; None if nothing was.

    Without any bound these are the live states, to the byte.
    """
    states = None
    for event in events_of(journal, group, stream, recorded, occurred, upto):
        states = group.evolve(states or group.initial, event)
    return states


@dataclass(frozen=True)
class Together:
    """A household or company group as it was.

    The share of each who belonged to it, what their month came to by then, and the sums.
    """

    month: Month
    shares: dict[str, int]
    months: dict[str, MonthlyFacts]
    total: Sums
    shared: Sums


def together_as_of(
    journal: Journal, whole: str, recorded: datetime | None = None, occurred: date | None = None
) -> Together | None:
    """A household or company group as it was known then, of what was true then, summed from its
    members; None if nothing was.
    """
    states = as_of(journal, CUSTOMER_GROUPS, whole, recorded, occurred)
    if states is None:
        return None
    then = members_then(journal, sorted(states.whole.members), recorded, occurred)
    opened = [month for _, books, *_ in then.values() if (month := open_month(books)) is not None]
    month = min([*opened, *([month_of(occurred)] if occurred else [])], default="")
    members: dict[str, Member] = {}
    day = occurred or date.max
    for stream, (who, books, closed, identity, _) in then.items():
        own, numbers = counted_on(who.memberships, day), numbers_of(identity, stream)
        share = counted_by_kin(own, identity, numbers, day).get(whole)
        if share is not None and books.since is not None:
            members[stream] = Member(closed.rows.get(month) or facts_of(books, month), share)
    shares = {stream: member.share_permille for stream, member in members.items()}
    months = {stream: member.facts for stream, member in members.items()}
    return Together(
        month, shares, months, summed(members.values()), summed(members.values(), by_share=True)
    )


def members_then(
    journal: Journal, members: Sequence[str], recorded: datetime | None, occurred: date | None
) -> dict[str, Facts]:
    """The members of a whole as they were, and the other numbers of each person."""
    found: dict[str, Facts] = {}
    waiting = [*members]
    while waiting:
        stream = waiting.pop(0)
        if stream not in found:
            facts: Any = as_of(journal, CUSTOMERS, stream, recorded, occurred) or CUSTOMERS.initial
            found[stream] = facts
            waiting += numbers_of(facts.identity, stream)
    return found


def history(
    shard: Shard, stream: str, version: int = 0, event_types: Collection[str] = ()
) -> Iterator[Recorded]:
    """Every event of a stream behind a version, in order, read some at a time.

    Only those of some stored types, if any are named.
    """
    while events := shard.history(stream, version, HISTORY_EVENTS, event_types):
        yield from events
        version = events[-1].version
