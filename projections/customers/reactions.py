"""What follows from what is known of a customer?

Others learn who joins and leaves, whom a manager looks after, what a member's month came to, and
what models learn from.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month, last_day
from domain.customers.identity import Identity, counted_by_kin, numbers_of
from domain.envelope import Proposed, Recorded, following
from domain.households.events import MemberMonthReported, MembershipChanged, ShardMonthReported
from domain.households.membership import Memberships
from domain.restatements.events import MonthsRestated
from projections.bank.day_end import months_ended
from projections.customers.identity import tells, tells_memberships
from projections.customers.states import Facts
from projections.managers import book
from projections.models import forecast
from projections.models.forecast import Known


def react(stream: str, before: Facts, after: Facts, event: Recorded) -> Iterable[Proposed]:
    """What follows from an event for one customer."""
    memberships = after.profile.memberships
    if memberships is not before.profile.memberships:
        return chain(
            moved(stream, before.profile.memberships, memberships, event),
            tells_memberships(stream, numbers_of(after.identity, stream), memberships, event),
        )
    if (manager := after.profile.manager) != before.profile.manager:
        return book.told(stream, before.profile.manager, manager, event)
    if after.identity is not before.identity:
        return tells(stream, before.identity, after.identity, memberships, event)
    if after.months is not before.months and not isinstance(event.data, MonthsRestated):
        rows = after.months.rows
        closed = rows.keys() - before.months.rows.keys()
        reports = reported(stream, {month: rows[month] for month in closed}, after.identity, event)
        return chain(
            reports,
            *(
                forecast.examples(stream, Known(rows, after.experience), month, event)
                for month in sorted(closed)
            ),
        )
    return ()


def after_month_end(event: Recorded, shard: int, shards: int) -> Iterator[Proposed]:
    """The shard has closed a month for all its customers, and those before it that were left
    out.
    """
    *before, last = months_ended(event)
    for month in (*before, last):
        said = ShardMonthReported(month=month, shard=shard, shards=shards)
        about = "" if month == last else month
        yield following(event, "month", f"month:{month}", said, about)


def moved(
    stream: str, before: Memberships, after: Memberships, event: Recorded
) -> Iterator[Proposed]:
    """What the wholes learn when a customer's memberships change."""
    for whole in sorted(before.keys() | after.keys()):
        if before.get(whole, ()) != (now := after.get(whole, ())):
            yield following(
                event,
                "member",
                whole,
                MembershipChanged(member=stream, held=now),
                whole,
                by=stream,
            )


def reported(
    stream: str, rows: Mapping[Month, MonthlyFacts], identity: Identity, event: Recorded
) -> Iterator[Proposed]:
    """What the wholes learn of months that closed: those of the number, and of a kind in which it
    has none, those of the person's others.

    Amounts in an order of their own, so that telling twice is telling the same.
    """
    numbers = numbers_of(identity, stream)
    person = numbers[0] if len(numbers) > 1 else None
    for month in sorted(rows):
        wholes = counted_by_kin(rows[month].wholes, identity, numbers, last_day(month))
        for whole, share in wholes.items():
            said = MemberMonthReported.model_construct(
                member=stream, share_permille=share, facts=rows[month], person=person
            )
            yield following(event, "report", whole, said, f"{stream} {month} {whole}")
