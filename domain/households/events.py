"""What happens between customers and what they belong to?

They join and leave, report their months, and learn the sum. A figure of a month may be of any size,
for what the bank itself says of its sums must never be refused.

A month of a whole is known when every shard of the bank has said that its own month is: then every
member has reported. So neither the order in which shards work, nor a slow one, changes any sum.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from domain.accounts.monthly_facts import MonthlyFacts
from domain.event import NOBODY, Identifier, Interaction, PlausibleDate, Stream, later
from domain.households.membership import MOST_BESIDE, Membership, Sums

MonthName = Annotated[str, StringConstraints(pattern=r"^(1[89]|2[01])[0-9]{2}-(0[1-9]|1[0-2])$")]
Permille = Annotated[int, Field(ge=0, le=1000)]
ShardNumber = Annotated[int, Field(ge=0, lt=10_000)]

KINDS = ("household", "company")
"""The kinds of stream that customers belong to."""
HOUSEHOLD = r"^household:[A-Za-z0-9_.\-:/@#]+$"
COMPANY_GROUP = r"^company:[A-Za-z0-9_.\-:/@#]+$"
Household = Annotated[str, StringConstraints(max_length=200, pattern=HOUSEHOLD)]
CompanyGroup = Annotated[str, StringConstraints(max_length=200, pattern=COMPANY_GROUP)]


class HouseholdJoined(Interaction):
    """The customer belongs to a household, with a share of it in permille."""

    household: Household
    role: Identifier
    share_permille: Annotated[int, Field(ge=0, le=1000)] = 1000


class HouseholdLeft(Interaction):
    """The customer no longer belongs to a household."""

    household: Household


class CompanyGroupJoined(Interaction):
    """The company belongs to a group, owned to a share in permille."""

    group: CompanyGroup
    share_permille: Annotated[int, Field(ge=0, le=1000)] = 1000


class CompanyGroupLeft(Interaction):
    """The company no longer belongs to a group."""

    group: CompanyGroup


class MemberDied(Interaction):
    """What is stated of a member's death: that they died, or that the report was wrong.

    `at` is when it was stated, and `day` the business date from which the others mourn.
    """

    concerns = ("household",)
    whom = "member"
    senders = NOBODY
    customer_seen = False
    member: Stream
    died: bool
    at: AwareDatetime
    day: PlausibleDate


class MembershipChanged(Interaction):
    """In which intervals a customer belongs to this household or company group.

    All of them, each from its day on until, without, another.
    """

    concerns = KINDS
    whom = "member"
    senders = NOBODY
    member: Stream
    held: tuple[Membership, ...]


class MemberMonthReported(Interaction):
    """What a member's month came to, at whose end they belonged to it.

    `person` is the number that stays, of a person with several.
    """

    concerns = KINDS
    whom = "member"
    senders = NOBODY
    member: Stream
    share_permille: Permille
    facts: MonthlyFacts
    person: Stream | None = later(None)


class ShardMonthReported(Interaction):
    """One of so many shards has closed a month for all its customers, and their reports
    are recorded.
    """

    concerns = ("month",)
    senders = NOBODY
    month: MonthName
    shard: ShardNumber
    shards: Annotated[int, Field(ge=1, le=10_000)]


class MonthReported(Interaction):
    """All shards have closed a month: what members come to together is known.

    Recorded once in each shard's own stream.
    """

    concerns = ("shard", "bank")
    senders = NOBODY
    month: MonthName


class WholeMonthClosed(Interaction):
    """What the household or company group of a customer came to in a month.

    All of it, and by shares.

    `beside` has the months of the members of a small household one by one, without names.
    """

    senders = NOBODY
    customer_seen = False
    whole: Stream
    month: MonthName
    members: Annotated[int, Field(ge=1)]
    total: Sums
    shared: Sums
    beside: Annotated[tuple[MonthlyFacts, ...], Field(max_length=MOST_BESIDE)] = ()
