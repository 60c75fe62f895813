"""How does a customer stand today, on what grounds, and where is it heading? All that a person would ask of a tier."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from domain.closing import facts_of
from domain.days import Month, next_month
from domain.facts import MonthlyFacts
from domain.policy import TierPolicy
from domain.tiering import Grounds, Outlook, Override, assess, case_of, outlook, tier_on
from projections.picture import Customer
from projections.profile import traits


@dataclass(frozen=True)
class Heading:
    """The month that has not ended, if nothing more moves in it: what it would come to, and the tier that would follow."""

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
        heading=Heading(month.month, _seen(policy, month), assess(policy, standing, month).tier or policy.tiers[0].tier),
        service=tier.service.model_dump(),
        policy=standing.policy or policy.label,
    )


def _open_month(customer: Customer, today: date) -> MonthlyFacts:
    ledger = customer.ledger
    month = next_month(ledger.closed_through) if ledger.closed_through else ledger.since or today.isoformat()[:7]
    return replace(facts_of(ledger, month), traits=traits(customer.profile))


def _seen(policy: TierPolicy, facts: MonthlyFacts) -> dict[str, int]:
    seen = case_of(policy, facts).seen
    return {name: seen[name] for name in policy.asked}
