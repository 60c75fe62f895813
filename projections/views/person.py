"""What is known of a person who has several numbers?

Put together from what is known of each number, whenever somebody asks. Each goes on having its own
states; so a merge and an un-merge rewrite nothing, and cost others nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.customers.identity import joinings, numbers_of
from domain.customers.one_person import months_together
from domain.households.membership import MOST_BESIDE, Told, without_names
from domain.tiering.policy import Scope
from domain.tiering.precedence import Stand
from projections.accounts.months import Months
from projections.accounts.one_person import ledger_together
from projections.campaigns.benefits import Benefits
from projections.cases.complaints import Complaints
from projections.customers.one_person import (
    life_together,
    merged_dicts,
    profile_together,
)
from projections.customers.states import Facts
from projections.feedback.experience import experience_together
from projections.households.totals import WHOLE, CustomerGroup
from projections.offers.one_person import offers_together
from projections.tiering.standing import standing_together
from projections.views.customer import Customer

Rows = Mapping[Month, MonthlyFacts]


class Whole(NamedTuple):
    """A household or company group, folded up to a position, and the months of its people, where
    those are asked for.
    """

    name: str
    state: CustomerGroup
    upto: int
    people: Sequence[Rows] = ()

    def told(self) -> dict[Month, Told]:
        """What it came to, month by month, as its members were told."""
        return {
            month: Told(self.name, sums.total, sums.shared, self._beside(month))
            for month, sums in self.state.months.items()
        }

    def _beside(self, month: Month) -> tuple[MonthlyFacts, ...]:
        rows = [
            rows[month] for rows in self.people if month in rows and self.name in rows[month].wholes
        ]
        return without_names(rows) if len(rows) <= MOST_BESIDE else ()


def people_of(known: Mapping[str, Facts]) -> list[Rows]:
    """The months of people, by what is known of each of their numbers."""
    people = {numbers_of(facts.identity, number) for number, facts in known.items()}
    return [
        months_together([known[each].months.rows for each in numbers if each in known])
        for numbers in sorted(people)
    ]


def wholes_asked(scope: Scope | None, of_each: Iterable[Rows]) -> set[str]:
    """The households or groups that a tier policy asks for, of the months of several numbers."""
    if scope is None:
        return set()
    found = {scope.among(row.wholes) for rows in of_each for row in rows.values()}
    return {name for name in found if name}


def person_of(
    of_each: Sequence[Customer], wholes: Mapping[str, Sequence[Whole]] = MappingProxyType({})
) -> Customer:
    """One person, by what is known of each of their numbers, in any order.

    They answer as one number would that had all that happened on any of them: sums add, the
    strictest consent counts, a cap counts the contacts of all. Of what has no time the number that
    stays counts first. `wholes` are the households and groups that a tier policy asks for, by its
    scheme.
    """
    if len(of_each) == 1:
        return of_each[0]
    identity = of_each[0].identity
    order = {stream: place for place, stream in enumerate(numbers_of(identity, of_each[0].stream))}
    each = sorted(of_each, key=lambda one: order.get(one.stream, len(order)))

    joined_at: list[Callable[[str, str], datetime | None]] = []

    def joined(one: int, other: int) -> datetime | None:
        if not joined_at:
            joined_at.append(joinings(identity))  # worked out once, if consents differ at all
        return joined_at[0](each[one].stream, each[other].stream)

    rows = months_together([one.rows for one in each])
    streak = rows[max(rows)].streak if rows else 0
    complaints = [one.complaints for one in each]
    lives = [one.life for one in each if one.life is not None]
    stands = tuple(
        _stands_together(scheme, rows, wholes.get(scheme[0].scheme, ()))
        for scheme in zip(*(one.stands for one in each), strict=True)
    )
    asked = {whole.name: whole for some in wholes.values() for whole in some}
    return Customer(
        stream=each[0].stream,
        profile=profile_together([one.profile for one in each], joined),
        ledger=ledger_together([(one.stream, one.ledger) for one in each], streak),
        months=Months(rows),
        standing=stands[0].standing,
        offers=offers_together([one.offers for one in each]),
        policy=each[0].policy,
        stands=stands,
        precedence=each[0].precedence,
        scheme=each[0].scheme,
        upto=dict(of_each[0].upto)
        | {
            f"{one.stream}/{group}": position
            for one in of_each[1:]
            for group, position in one.upto.items()
        }
        | {f"{name}/{WHOLE.name}": whole.upto for name, whole in asked.items()},
        complaints=Complaints(
            open=merged_dicts(said.open for said in complaints),
            closed=sum(said.closed for said in complaints),
        ),
        benefits=Benefits(
            coupons=merged_dicts(one.benefits.coupons for one in each),
            attended=sum(one.benefits.attended for one in each),
        ),
        surveys=next(
            (one.surveys for one in each if one.surveys.score is not None), each[0].surveys
        ),
        life=life_together(lives) if lives else None,
        identity=identity,
        experience=experience_together([one.experience for one in each]),
        numbers=tuple(one.stream for one in each),
        looked_after_by=frozenset().union(*(one.managers for one in each)),
    )


def _stands_together(each: Sequence[Stand], rows: Rows, wholes: Sequence[Whole]) -> Stand:
    """Where a person stands in a scheme, by where each number does."""
    told = {whole.name: whole.told() for whole in wholes}
    first = each[0]
    return first._replace(
        standing=standing_together(first.policy, rows, told, [one.standing for one in each])
    )
