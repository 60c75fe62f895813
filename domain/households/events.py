"""What happens between customers and what they belong to? Members come and go, report their months, and learn the sum.

A month of a whole is known when every shard of the bank has said that its own month is: then every member has
reported. So neither the order in which shards work, nor a slow one, changes any sum.
"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from domain.accounts.monthly_facts import MonthlyFacts
from domain.event import Interaction, Stream
from domain.households.membership import MOST_BESIDE, Membership, Sums

MonthName = Annotated[str, StringConstraints(pattern=r"^(1[89]|2[01])[0-9]{2}-(0[1-9]|1[0-2])$")]
Permille = Annotated[int, Field(ge=0, le=1000)]
ShardNumber = Annotated[int, Field(ge=0, lt=10_000)]
LARGEST = 10**18
"""No figure of a month is larger, in minor units times days."""

KINDS = ("household", "company")
"""The kinds of stream that customers belong to."""


class MembershipChanged(Interaction):
    """In which intervals a customer belongs to this household or company group: all of them, each from its day on until, without, another."""

    concerns = KINDS
    whom = "member"
    member: Stream
    held: tuple[Membership, ...]


class MemberMonthReported(Interaction):
    """What a member's month came to, at whose end they belonged to it."""

    concerns = KINDS
    whom = "member"
    member: Stream
    share_permille: Permille
    facts: MonthlyFacts

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _check(self.facts)
        return self


class ShardMonthReported(Interaction):
    """One of so many shards has closed a month for all its customers, and their reports are recorded."""

    concerns = ("month",)
    month: MonthName
    shard: ShardNumber
    shards: Annotated[int, Field(ge=1, le=10_000)]


class MonthReported(Interaction):
    """All shards have closed a month: what members come to together is known. Recorded once in each shard's own stream."""

    concerns = ("shard", "bank")
    month: MonthName


class WholeMonthClosed(Interaction):
    """What the household or company group of a customer came to in a month: all of it, and by shares.

    `beside` has the months of the members of a small household one by one, without names.
    """

    whole: Stream
    month: MonthName
    members: Annotated[int, Field(ge=1)]
    total: Sums
    shared: Sums
    beside: Annotated[tuple[MonthlyFacts, ...], Field(max_length=MOST_BESIDE)] = ()

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _check(self.total)
        _check(self.shared)
        for facts in self.beside:
            _check(facts)
        return self


def _check(figures: MonthlyFacts | Sums) -> None:
    amounts = [*figures.value_in.values(), *figures.value_out.values(), figures.transactions, figures.products]
    amounts += [amount for asset in figures.assets for amount in (asset.balance_days, asset.average, asset.closing, asset.ninety_days)]
    if any(abs(amount) > LARGEST for amount in amounts):
        raise ValueError(f"no figure may be larger than {LARGEST}")
