"""How does a customer stand today, on what grounds, and where is it heading?

All that a person would ask of a tier.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from domain.accounts.month_end import facts_of, open_month
from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month, last_day, month_of
from domain.households.membership import counted_on
from domain.tiering.assessment import (
    Grounds,
    Override,
    Standing,
    case_of,
    judged,
    override_on,
    tier_on,
)
from domain.tiering.outlook import Outlook, heading, next_assessment, outlook
from domain.tiering.policy import TierPolicy
from projections.views.customer import Customer

LAST = 12
"""Months that an answer shows."""


@dataclass(frozen=True)
class Heading:
    """The month that has not ended, if nothing more moves in it.

    What it would come to, and the tier that would follow.

    A household or company group that counts is taken as it was when its last month was summed.
    """

    month: Month
    seen: dict[str, int]
    reached: str
    tier: str
    watch: int
    next_assessment: Month


@dataclass(frozen=True)
class Measured:
    """A month that ended: what was measured of the customer alone, and the tier that
    this reaches.
    """

    seen: dict[str, int]
    reached: str


@dataclass(frozen=True)
class Answer:
    """A standing in full.

    The tier in force, the assessed one, the grounds, what comes next, and how the tier is served.

    `since` is the day from which the tier in force holds (None for one set by hand, or before the
    assessed one takes effect), `assessed_since` that of the assessed one. `waiting` says through
    which month assessments wait for the customer's household or company group. `months` has the
    last months that ended. `scheme` is the one whose tier counts, and `because` says why; `schemes`
    has the tier in each that covers the customer, where there are several. `amounts` has the
    currency of each quantity that is an amount, all others are counts; `tiers` has what each tier
    is called. Who is covered by none
    stands in no tier.
    """

    tier: str | None
    name: dict[str, str]
    since: date | None
    assessed: str | None
    assessed_since: date | None
    watch: int
    grounds: Grounds | None
    months: dict[Month, Measured]
    waiting: Month | None
    override: Override | None
    outlook: Outlook
    heading: Heading | None
    service: dict[str, Any]
    policy: str
    policy_digest: str
    scheme: str | None
    because: tuple[str, ...]
    schemes: dict[str, str]
    amounts: dict[str, str]
    tiers: dict[str, dict[str, str]]


def answer(customer: Customer, today: date) -> Answer:
    """How a customer stands on a day, by the read models."""
    standing, policy = customer.standing, customer.policy
    in_force = tier_on(policy, standing, today) if customer.scheme else None
    tier = policy.tiers[policy.rank(in_force) or 0]
    month = _open_month(customer, today)
    by_hand = override_on(policy, standing, today)
    assessed_holds = by_hand is None and standing.since is not None and standing.since <= today
    return Answer(
        tier=in_force,
        name=tier.name if in_force else {},
        since=standing.since if assessed_holds else None,
        assessed=standing.tier,
        assessed_since=standing.since,
        watch=standing.watch,
        grounds=standing.grounds,
        months={
            name: _measured(policy, customer.rows[name])
            for name in sorted(customer.months.rows)[-LAST:]
        }
        if in_force
        else {},
        waiting=standing.waiting.due if standing.waiting else None,
        override=by_hand,
        outlook=outlook(policy, standing, month) if in_force else Outlook(),
        heading=_heading(policy, standing, month) if in_force else None,
        service=tier.service.model_dump() if in_force else {},
        policy=standing.policy or policy.label,
        policy_digest=policy.digest,
        scheme=customer.scheme,
        because=customer.because,
        schemes=customer.tiers(today),
        amounts=policy.amounts,
        tiers=policy.names,
    )


def _measured(policy: TierPolicy, facts: MonthlyFacts) -> Measured:
    _, grounds = judged(policy, facts)
    return Measured(grounds.seen, grounds.reached)


def _heading(policy: TierPolicy, standing: Standing, month: MonthlyFacts) -> Heading:
    reached, after = heading(policy, standing, month)
    due = next_assessment(policy, month.month, month.tenure_months)
    return Heading(
        month.month,
        _seen(policy, month),
        reached,
        after.tier or policy.tiers[0].tier,
        after.watch,
        due,
    )


def _open_month(customer: Customer, today: date) -> MonthlyFacts:
    ledger = customer.ledger
    month = open_month(ledger) or month_of(today)
    return replace(
        facts_of(ledger, month),
        traits=customer.traits,
        wholes=counted_on(customer.profile.memberships, last_day(month)),
    )


def _seen(policy: TierPolicy, facts: MonthlyFacts) -> dict[str, int]:
    seen = case_of(policy, facts).seen
    return {name: seen[name] for name in policy.asked}
