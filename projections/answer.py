"""How does a customer stand today, on what grounds, and where is it heading? All that a person would ask of a tier."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from domain.closing import facts_of, open_month
from domain.days import Month, last_day, month_of
from domain.facts import MonthlyFacts
from domain.households import counted_on
from domain.policy import TierPolicy
from domain.tiering import Grounds, Outlook, Override, case_of, heading, outlook, tier_on
from projections.picture import Customer
from projections.profile import traits


@dataclass(frozen=True)
class Heading:
    """The month that has not ended, if nothing more moves in it: what it would come to, and the tier that would follow.

    A household or company group that counts is taken as it was when its last month was summed.
    """

    month: Month
    seen: dict[str, int]
    tier: str


@dataclass(frozen=True)
class Answer:
    """A standing in full: the tier in force, the assessed one, the grounds, what comes next, and how the tier is served."""

    tier: str
    name: dict[str, str]
    assessed: str | None
    since: date | None
    watch: int
    grounds: Grounds | None
    override: Override | None
    outlook: Outlook
    heading: Heading
    service: dict[str, Any]
    policy: str


def answer(customer: Customer, today: date) -> Answer:
    """How a customer stands on a day, by the read models."""
    standing, policy = customer.standing, customer.policy
    in_force = tier_on(policy, standing, today)
    tier = policy.tiers[policy.place(in_force) or 0]
    month = _open_month(customer, today)
    return Answer(
        tier=in_force,
        name=tier.name,
        assessed=standing.tier,
        since=standing.since,
        watch=standing.watch,
        grounds=standing.grounds,
        override=standing.override,
        outlook=outlook(policy, standing, month),
        heading=Heading(month.month, _seen(policy, month), heading(policy, standing, month)),
        service=tier.service.model_dump(),
        policy=standing.policy or policy.label,
    )


def _open_month(customer: Customer, today: date) -> MonthlyFacts:
    ledger = customer.ledger
    month = open_month(ledger) or month_of(today)
    return replace(facts_of(ledger, month), traits=traits(customer.profile), wholes=counted_on(customer.profile.memberships, last_day(month)))


def _seen(policy: TierPolicy, facts: MonthlyFacts) -> dict[str, int]:
    seen = case_of(policy, facts).seen
    return {name: seen[name] for name in policy.asked}
