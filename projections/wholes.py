"""What does a household or company group come to? Members and their intervals, and the sum of what they report.

A month is summed when every shard of the bank has reported it, and then each member is told. The calendar, one stream a
month, counts the shards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from domain import wholes
from domain.change import changed
from domain.days import Month
from domain.facts import MonthlyFacts
from domain.households import MOST_BESIDE, Member, Membership, Sums, left, summed, without_names
from domain.interaction import BANK, Interaction
from domain.recorded import Proposed, Recorded, following
from domain.wholes import MemberJoined, MemberLeft, MemberMonthReported, MonthReported, ShardMonthReported, WholeMonthClosed
from projections.projection import Group, Projection, States


@dataclass(frozen=True)
class Summed:
    """What a month of the whole came to: of how many members, all of it, and by their shares."""

    members: int
    total: Sums
    shared: Sums


@dataclass(frozen=True)
class Whole:
    """A household or company group: members by stream, what they have reported of months that are not summed yet, and sums."""

    members: dict[str, Membership] = field(default_factory=dict)
    reported: dict[Month, dict[str, Member]] = field(default_factory=dict)
    months: dict[Month, Summed] = field(default_factory=dict)
    summed_through: Month = ""


@dataclass(frozen=True)
class Calendar:
    """A month of the bank: the shards that have reported it."""

    shards: frozenset[int] = frozenset()


def evolve(whole: Whole, event: Recorded) -> Whole:
    """The whole after one more event. What is reported of a month that is summed already comes too late, and changes nothing."""
    match event.data:
        case MemberJoined(member=member, role=role, share_permille=share):
            return changed(whole, members={**whole.members, member: Membership(share, event.business_date, role=role)})
        case MemberLeft(member=member):
            return changed(whole, members=left(whole.members, member, event.business_date))
        case MemberMonthReported(member=member, share_permille=share, facts=facts) if facts.month > whole.summed_through:
            month = {**whole.reported.get(facts.month, {}), member: Member(facts, share)}
            return changed(whole, reported={**whole.reported, facts.month: month})
        case MonthReported(month=month) if month > whole.summed_through:
            return _summed(whole, month)
        case _:
            return whole


def count(calendar: Calendar, event: Recorded) -> Calendar:
    """The calendar after one more event."""
    match event.data:
        case ShardMonthReported(shard=shard):
            return Calendar(calendar.shards | {shard})
        case _:
            return calendar


def _summed(whole: Whole, through: Month) -> Whole:
    known = {month: _sums(reported) for month, reported in whole.reported.items() if month <= through}
    rest = {month: reported for month, reported in whole.reported.items() if month > through}
    return changed(whole, reported=rest, months={**whole.months, **known}, summed_through=through)


def _sums(reported: dict[str, Member]) -> Summed:
    members = [reported[name] for name in sorted(reported)]
    return Summed(len(members), summed(members), summed(members, by_share=True))


WHOLE = Projection("whole", 1, Whole(), evolve)
CALENDAR = Projection("calendar", 1, Calendar(), count)


def _evolve_all(states: States, event: Recorded) -> States:
    whole, calendar = states
    return evolve(whole, event), count(calendar, event)


def react(stream: str, before: States, after: States, event: Recorded) -> Iterator[Proposed]:
    """Members learn what the whole came to; the bank learns that all its shards have reported a month."""
    match event.data:
        case MonthReported():
            for month in sorted(after[0].months.keys() - before[0].months.keys()):
                yield from _told(stream, month, after[0].months[month], before[0].reported[month], event)
        case ShardMonthReported(month=month, shards=shards) if len(before[1].shards) < shards <= len(after[1].shards):
            yield following(event, "month", BANK, MonthReported(month=month))
        case _:
            pass


def _told(stream: str, month: Month, sums: Summed, reported: dict[str, Member], event: Recorded) -> Iterator[Proposed]:
    beside = _beside(stream, reported)
    for member in sorted(reported):
        said = WholeMonthClosed.model_construct(whole=stream, month=month, members=sums.members, total=sums.total, shared=sums.shared, beside=beside)
        yield following(event, "whole", member, said, f"{stream} {month} {member}")


def _beside(stream: str, reported: dict[str, Member]) -> tuple[MonthlyFacts, ...]:
    """The members' months one by one, where that is told."""
    if not stream.startswith("household:") or len(reported) > MOST_BESIDE:
        return ()
    return without_names(member.facts for member in reported.values())


def all_reported(data: Interaction) -> bool:
    """Whether this says that every shard has reported a month, which concerns every whole."""
    return isinstance(data, MonthReported)


WHOLES = Group("wholes@1", (*wholes.KINDS, "month"), (WHOLE, CALENDAR), _evolve_all, everyone=all_reported, react=react)
