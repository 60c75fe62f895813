"""What follows from what a household or company group came to?

Members learn the sum, and the bank that all its shards have reported.
"""

from collections.abc import Iterator

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.customers.one_person import month_together
from domain.envelope import Proposed, Recorded, following
from domain.event import BANK
from domain.households.events import MonthReported, ShardMonthReported, WholeMonthClosed
from domain.households.membership import MOST_BESIDE, Member, without_names
from projections.households.states import Totals
from projections.households.totals import Summed


def react(stream: str, before: Totals, after: Totals, event: Recorded) -> Iterator[Proposed]:
    """Members learn what the whole came to.

    The bank learns that all its shards have reported a month.
    """
    match event.data:
        case MonthReported(month=month) if month in before.whole.reported:
            yield from _month_closed(
                stream, month, after.whole.months[month], before.whole.reported[month], event
            )
        case ShardMonthReported(month=month, shards=shards) if (
            len(before.calendar.shards) < shards <= len(after.calendar.shards)
        ):
            yield following(event, "month", BANK, MonthReported(month=month))
        case _:
            pass


def _month_closed(
    stream: str, month: Month, sums: Summed, reported: dict[str, Member], event: Recorded
) -> Iterator[Proposed]:
    beside = _beside(stream, reported)
    for member in sorted(reported):
        closed = WholeMonthClosed.model_construct(
            whole=stream,
            month=month,
            members=sums.members,
            total=sums.total,
            shared=sums.shared,
            beside=beside,
        )
        yield following(event, "whole", member, closed, f"{stream} {month} {member}")


def _beside(stream: str, reported: dict[str, Member]) -> tuple[MonthlyFacts, ...]:
    """The members' months one by one, where that is told."""
    if not stream.startswith("household:") or len(reported) > MOST_BESIDE:
        return ()
    people: dict[str, list[MonthlyFacts]] = {}
    for name in sorted(reported):
        people.setdefault(reported[name].person or name, []).append(reported[name].facts)
    return without_names(map(month_together, people.values()))
