"""What does a household or company group come to?

Members and their intervals, and the sum of what they report.

A month is summed when every shard of the bank has reported it, and then each member is told. The
calendar, one stream a month, counts the shards.
"""

from dataclasses import dataclass, field

from domain.calendar import Month
from domain.envelope import Recorded
from domain.fastcopy import changed
from domain.households.events import (
    MemberMonthReported,
    MembershipChanged,
    MonthReported,
    ShardMonthReported,
)
from domain.households.membership import Member, Membership, Sums, summed
from projections.projection import Projection


@dataclass(frozen=True)
class Summed:
    """What a month of the whole came to: of how many members, all of it, and by their shares."""

    members: int
    total: Sums
    shared: Sums


@dataclass(frozen=True)
class CustomerGroup:
    """A household or company group.

    Members by stream, what they have reported of months that are not summed yet, and sums.
    """

    members: dict[str, tuple[Membership, ...]] = field(default_factory=dict)
    reported: dict[Month, dict[str, Member]] = field(default_factory=dict)
    months: dict[Month, Summed] = field(default_factory=dict)


@dataclass(frozen=True)
class Calendar:
    """A month of the bank: the shards that have reported it."""

    shards: frozenset[int] = frozenset()


def evolve(whole: CustomerGroup, event: Recorded) -> CustomerGroup:
    """The whole after one more event.

    A member's report of a month comes before the bank's word that all shards have reported it.
    """
    match event.data:
        case MembershipChanged(member=member, held=held):
            others = {name: each for name, each in whole.members.items() if name != member}
            return changed(whole, members={**others, member: held} if held else others)
        case MemberMonthReported(
            member=member, share_permille=share, facts=facts, person=person
        ) if facts.month not in whole.months:
            month = {**whole.reported.get(facts.month, {}), member: Member(facts, share, person)}
            return changed(whole, reported={**whole.reported, facts.month: month})
        case MonthReported(month=month) if month in whole.reported:
            rest = {name: reported for name, reported in whole.reported.items() if name != month}
            return changed(
                whole, reported=rest, months={**whole.months, month: _sums(whole.reported[month])}
            )
        case _:
            return whole


def count(calendar: Calendar, event: Recorded) -> Calendar:
    """The calendar after one more event."""
    match event.data:
        case ShardMonthReported(shard=shard):
            return Calendar(calendar.shards | {shard})
        case _:
            return calendar


def _sums(reported: dict[str, Member]) -> Summed:
    members = [reported[name] for name in sorted(reported)]
    people = {reported[name].person or name for name in reported}
    return Summed(len(people), summed(members), summed(members, by_share=True))


WHOLE = Projection("whole", 2, CustomerGroup(), evolve)
CALENDAR = Projection("calendar", 1, Calendar(), count)
