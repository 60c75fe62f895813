"""What do households and company groups come to whose members' months were restated?"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.customers.identity import numbers_of
from domain.households.events import MemberMonthReported
from domain.households.membership import Member, Told
from domain.restatements.events import WholeMonthRestated
from projections.customers.group import CUSTOMERS
from projections.customers.states import Facts
from projections.households.group import CUSTOMER_GROUPS
from projections.households.reactions import beside_of
from projections.households.totals import Summed, sums_of
from replay.history.as_of import as_of, history
from replay.restatements.one_customer import Outcome
from streams.broker.routing import shard_of
from streams.journal import Journal

Touched = set[tuple[str, Month]]
"""Households and groups, each with a month that is to be summed anew."""
Now = Mapping[str, Mapping[Month, MonthlyFacts | None]]
"""By customer, the months that a restatement is about to change; None for one that is no more."""


class Corrected(NamedTuple):
    """By member, what is to be told of which month; and by whole, what it comes to."""

    told: dict[str, dict[Month, Told]]
    words: list[tuple[str, WholeMonthRestated]]


def touched_by(rows: Iterable[MonthlyFacts]) -> Touched:
    """The households and groups that months count in."""
    return {(whole, row.month) for row in rows for whole in row.wholes}


def changes_of(found: Outcome) -> dict[Month, MonthlyFacts | None]:
    """The months of a customer that an outcome changes."""
    return {**dict.fromkeys(found.said.gone), **{row.month: row for row in found.said.rows}}


class Wholes:
    """Sums the months of members, as they are about to be."""

    def __init__(self, journal: Journal, now: Now) -> None:
        self._journal = journal
        self._now = now
        self._facts: dict[str, Facts] = {}

    def corrected(self, touched: Touched, name: str, *, taken_back: bool) -> Corrected:
        """What each comes to, and what its members are to be told.

        Words are only of those that come to something else than is known.
        """
        told: dict[str, dict[Month, Told]] = {}
        words = []
        for whole, month in sorted(touched):
            members = self._members(whole, month)
            sums = sums_of(members)
            for stream in members:
                said = Told(whole, sums.total, sums.shared, beside_of(whole, members))
                told.setdefault(stream, {})[month] = said
            if self._known(whole, month) != (sums if members else None):
                words.append((whole, _word(name, month, members, sums, taken_back=taken_back)))
        return Corrected(told, words)

    def _members(self, whole: str, month: Month) -> dict[str, Member]:
        """Who belonged to it at a month's end, each with the month as it is about to be."""
        reported: dict[str, Member] = {}
        for event in self._history(whole):
            match event:
                case MemberMonthReported(facts=facts) if facts.month == month:
                    member = Member(facts, event.share_permille, event.person)
                    reported[event.member] = member
                case WholeMonthRestated() if event.month == month:
                    reported = {
                        stream: reported.get(stream) or self._member(stream, whole, month)
                        for stream in event.members
                    }
                case _:
                    pass
        joining = {
            stream
            for stream, rows in self._now.items()
            if (row := rows.get(month)) is not None and whole in row.wholes
        }
        found = {}
        for stream in sorted(reported.keys() | joining):
            row = self._row(stream, month)
            known = reported.get(stream)
            if row is None or (month in self._now.get(stream, {}) and whole not in row.wholes):
                continue
            share = row.wholes.get(whole, known.share_permille if known else 1000)
            found[stream] = Member(row, share, known.person if known else self._person(stream))
        return found

    def _member(self, stream: str, whole: str, month: Month) -> Member:
        row = self._row(stream, month) or MonthlyFacts(month, 0)
        return Member(row, row.wholes.get(whole, 1000), self._person(stream))

    def _history(self, whole: str) -> Iterable[Any]:
        shard = self._journal[shard_of(whole, len(self._journal))]
        return (event.data for event in history(shard, whole))

    def _row(self, stream: str, month: Month) -> MonthlyFacts | None:
        """A month of a customer as it is about to be."""
        changed = self._now.get(stream, {})
        return changed[month] if month in changed else self._known_of(stream).months.rows.get(month)

    def _person(self, stream: str) -> str | None:
        """The number that stays, of a person with several."""
        numbers = numbers_of(self._known_of(stream).identity, stream)
        return numbers[0] if len(numbers) > 1 else None

    def _known_of(self, stream: str) -> Facts:
        if stream not in self._facts:
            known: Any = as_of(self._journal, CUSTOMERS, stream) or CUSTOMERS.initial
            self._facts[stream] = known
        return self._facts[stream]

    def _known(self, whole: str, month: Month) -> Summed | None:
        states: Any = as_of(self._journal, CUSTOMER_GROUPS, whole)
        found: Summed | None = states.whole.months.get(month) if states else None
        return found


def _word(
    name: str, month: Month, members: Mapping[str, Member], sums: Summed, *, taken_back: bool
) -> WholeMonthRestated:
    return WholeMonthRestated.model_construct(
        restatement=name,
        taken_back=taken_back,
        month=month,
        members=tuple(members),
        people=sums.members,
        total=sums.total,
        shared=sums.shared,
    )
