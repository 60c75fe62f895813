"""What must others learn of a customer? Households and company groups: who joins and leaves, and what a member's month came to."""

from collections.abc import Iterator, Mapping

from domain.days import Month
from domain.facts import MonthlyFacts
from domain.households import Membership
from domain.interaction import Interaction
from domain.recorded import Proposed, Recorded, following
from domain.wholes import KINDS, MemberJoined, MemberLeft, MemberMonthReported

Memberships = Mapping[str, Membership]


def moved(stream: str, before: Memberships, after: Memberships, event: Recorded) -> Iterator[Proposed]:
    """What the wholes learn when a customer's memberships change."""
    for whole in sorted(after):
        was, now = before.get(whole), after[whole]
        if was == now or whole.partition(":")[0] not in KINDS:
            continue
        said: Interaction = MemberLeft(member=stream)
        if was is None or now.until is None:
            said = MemberJoined(member=stream, role=now.role, share_permille=now.share_permille)
        yield following(event, "member", whole, said, whole)


def reported(stream: str, rows: Mapping[Month, MonthlyFacts], event: Recorded) -> Iterator[Proposed]:
    """What the wholes learn of months that closed; amounts in an order of their own, so that telling twice is telling the same."""
    for month in sorted(rows):
        for whole, share in rows[month].wholes.items():
            said = MemberMonthReported.model_construct(member=stream, share_permille=share, facts=rows[month])
            yield following(event, "report", whole, said, f"{stream} {month} {whole}")
