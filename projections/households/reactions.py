"""What must others learn of a customer? Households and company groups: who belongs to them when, and what a member's month came to."""

from collections.abc import Iterator, Mapping

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.envelope import Proposed, Recorded, following
from domain.households.events import MemberMonthReported, MembershipChanged
from domain.households.membership import Memberships


def moved(stream: str, before: Memberships, after: Memberships, event: Recorded) -> Iterator[Proposed]:
    """What the wholes learn when a customer's memberships change."""
    for whole in sorted(before.keys() | after.keys()):
        if before.get(whole, ()) != (now := after.get(whole, ())):
            yield following(event, "member", whole, MembershipChanged(member=stream, held=now), whole)


def reported(stream: str, rows: Mapping[Month, MonthlyFacts], event: Recorded) -> Iterator[Proposed]:
    """What the wholes learn of months that closed; amounts in an order of their own, so that telling twice is telling the same."""
    for month in sorted(rows):
        for whole, share in rows[month].wholes.items():
            said = MemberMonthReported.model_construct(member=stream, share_permille=share, facts=rows[month])
            yield following(event, "report", whole, said, f"{stream} {month} {whole}")
