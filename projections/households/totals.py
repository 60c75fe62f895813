"""What does a household or company group come to? Members and their intervals, and the sum of what they report.

A month is summed when every shard of the bank has reported it, and then each member is told. The calendar, one stream a
month, counts the shards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.envelope import Proposed, Recorded, following
from domain.event import BANK, Interaction
from domain.fastcopy import changed
from domain.households import events as wholes
from domain.households.events import MemberMonthReported, MembershipChanged, MonthReported, ShardMonthReported, WholeMonthClosed
from domain.households.membership import MOST_BESIDE, Member, Membership, Sums, summed, without_names
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

    members: dict[str, tuple[Membership, ...]] = field(default_factory=dict)
    reported: dict[Month, dict[str, Member]] = field(default_factory=dict)
    months: dict[Month, Summed] = field(default_factory=dict)


@dataclass(frozen=True)
class Calendar:
    """A month of the bank: the shards that have reported it."""

    shards: frozenset[int] = frozenset()


def evolve(whole: Whole, event: Recorded) -> Whole:
    """The whole after one more event. A member's report of a month comes before the bank's word that all shards have reported it."""
    match event.data:
        case MembershipChanged(member=member, held=held):
            others = {name: each for name, each in whole.members.items() if name != member}
            return changed(whole, members={**others, member: held} if held else others)
        case MemberMonthReported(member=member, share_permille=share, facts=facts) if facts.month not in whole.months:
            month = {**whole.reported.get(facts.month, {}), member: Member(facts, share)}
            return changed(whole, reported={**whole.reported, facts.month: month})
        case MonthReported(month=month) if month in whole.reported:
            rest = {name: reported for name, reported in whole.reported.items() if name != month}
            return changed(whole, reported=rest, months={**whole.months, month: _sums(whole.reported[month])})
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
    return Summed(len(members), summed(members), summed(members, by_share=True))


WHOLE = Projection("whole", 1, Whole(), evolve)
CALENDAR = Projection("calendar", 1, Calendar(), count)


def _evolve_all(states: States, event: Recorded) -> States:
    whole, calendar = states
    return evolve(whole, event), count(calendar, event)


def react(stream: str, before: States, after: States, event: Recorded) -> Iterator[Proposed]:
    """Members learn what the whole came to; the bank learns that all its shards have reported a month."""
    match event.data:
        case MonthReported(month=month) if month in before[0].reported:
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
