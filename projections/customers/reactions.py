"""What follows from what is known of a customer?

Others learn who joins and leaves, what a member's month came to, and what models learn from.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import Month, month_of
from domain.envelope import Proposed, Recorded, following
from domain.households.events import MemberMonthReported, MembershipChanged, ShardMonthReported
from domain.households.membership import Memberships
from projections.customers.states import Facts
from projections.models import forecast


def react(stream: str, before: Facts, after: Facts, event: Recorded) -> Iterable[Proposed]:
    """What follows from an event for one customer."""
    if after.profile.memberships is not before.profile.memberships:
        return moved(stream, before.profile.memberships, after.profile.memberships, event)
    if after.months is not before.months:
        rows = after.months.rows
        closed = rows.keys() - before.months.rows.keys()
        reports = reported(stream, {month: rows[month] for month in closed}, event)
        return chain(
            reports, *(forecast.examples(stream, rows, month, event) for month in sorted(closed))
        )
    return ()


def after_month_end(event: Recorded, shard: int, shards: int) -> Proposed:
    """The shard has closed a month for all its customers."""
    assert isinstance(event.data, DayClosed)
    month = month_of(event.data.date)
    return following(
        event,
        "month",
        f"month:{month}",
        ShardMonthReported(month=month, shard=shard, shards=shards),
    )


def moved(
    stream: str, before: Memberships, after: Memberships, event: Recorded
) -> Iterator[Proposed]:
    """What the wholes learn when a customer's memberships change."""
    for whole in sorted(before.keys() | after.keys()):
        if before.get(whole, ()) != (now := after.get(whole, ())):
            yield following(
                event, "member", whole, MembershipChanged(member=stream, held=now), whole
            )


def reported(
    stream: str, rows: Mapping[Month, MonthlyFacts], event: Recorded
) -> Iterator[Proposed]:
    """What the wholes learn of months that closed.

    Amounts in an order of their own, so that telling twice is telling the same.
    """
    for month in sorted(rows):
        for whole, share in rows[month].wholes.items():
            said = MemberMonthReported.model_construct(
                member=stream, share_permille=share, facts=rows[month]
            )
            yield following(event, "report", whole, said, f"{stream} {month} {whole}")
