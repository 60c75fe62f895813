"""Which tier does a customer stand in, since when, and on what grounds?

Standings, and how to assess.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month, first_day, last_day, next_month
from domain.fastcopy import build, changed
from domain.households.membership import Told
from domain.rules.conditions import Case, met
from domain.rules.quantities import counts_in, seen_in
from domain.tiering.events import TierOverridden
from domain.tiering.policy import TierPolicy


@dataclass(frozen=True)
class Override:
    """A tier set by hand, until a date."""

    tier: str
    approver: str
    reason: str
    until: date


@dataclass(frozen=True)
class Grounds:
    """What the last assessment saw.

    The month, every measure of the policy and what its tiers ask for, and the tier reached.

    `whole` is the household or company group that counted too, and `together` what was seen of it.
    """

    month: Month
    seen: dict[str, int]
    reached: str
    frozen: bool = False
    whole: str | None = None
    together: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Waiting:
    """Months through `due` have ended, and the next to be assessed waits for what the customer's
    household or company group came to.

    `told` has what is known of later ones already: households do not speak in order.
    """

    due: Month
    told: dict[Month, Told] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """A customer under a policy.

    Tier (None before any assessment), since when, the one before, missed assessments in a row,
    grounds.

    `through` is the last month whose facts were looked at, whether or not its end was an
    assessment.
    """

    tier: str | None = None
    since: date | None = None
    before: str | None = None
    watch: int = 0
    grounds: Grounds | None = None
    override: Override | None = None
    policy: str | None = None
    through: Month | None = None
    waiting: Waiting | None = None


def case_of(policy: TierPolicy, facts: MonthlyFacts) -> Case:
    """A month as the policy's conditions see it."""
    fast = (
        policy.fast_track
        if policy.fast_track and facts.tenure_months <= policy.fast_track.through_months
        else None
    )
    counts = counts_in(facts, policy.currency) if policy.asks_for_counts else {}
    return Case(
        seen_in(facts, policy.measures, policy.currency, fast.over if fast else None, counts),
        facts,
        policy.life_cycle.stage(facts),
    )


def level(policy: TierPolicy, case: Case) -> int:
    """The highest tier, as an index from the lowest, whose condition is met."""
    rank = len(policy.tiers) - 1
    while (reach := policy.tiers[rank].reach) is not None and not met(reach, case):
        rank -= 1
    return rank


def assess(
    policy: TierPolicy,
    standing: Standing,
    facts: MonthlyFacts,
    together: Sequence[MonthlyFacts] = (),
) -> Standing:
    """The standing after a month, which is that of the customer.

    The best of those of the household or group counts too.

    Source: the general machine behind the published rules of banks. Reached: up. Missed: on the
    watch list; missed as often as allowed: down to the level of the last assessment, or by one
    step.
    """
    standing = _without_expired(standing, first_day(next_month(facts.month)))
    if not due(policy, facts):
        return changed(standing, through=facts.month)
    return stepped(policy, changed(standing, through=facts.month), *judged(policy, facts, together))


def stepped(policy: TierPolicy, standing: Standing, reached: int, grounds: Grounds) -> Standing:
    """Up, or watched, or down, by what an assessment reached."""
    effective = first_day(next_month(grounds.month))
    held = policy.rank(standing.tier)
    standing = changed(standing, grounds=grounds, policy=policy.label)
    if held is None or reached > held:
        since = effective if policy.up == "next-month" else effective - timedelta(days=1)
        return changed(
            standing, tier=policy.tiers[reached].tier, since=since, before=standing.tier, watch=0
        )
    watch = 0 if reached == held else standing.watch + (not grounds.frozen)
    if watch < policy.misses_of(held):
        return changed(standing, watch=watch)
    return changed(
        standing,
        tier=policy.tiers[policy.falls_to(held, reached)].tier,
        since=effective,
        before=standing.tier,
        watch=0,
    )


def judged(
    policy: TierPolicy, facts: MonthlyFacts, together: Sequence[MonthlyFacts] = ()
) -> tuple[int, Grounds]:
    """The tier that a month reaches, by place, by itself or together with others.

    And on what grounds.
    """
    case = case_of(policy, facts)
    best = max(
        (case_of(policy, each) for each in together),
        key=lambda each: level(policy, each),
        default=None,
    )
    reached = max(level(policy, case), level(policy, best) if best else 0)
    grounds = build(
        Grounds,
        month=facts.month,
        seen=_asked(policy, case),
        reached=policy.tiers[reached].tier,
        frozen=policy.freeze_in_dispute and facts.traits.open_cases > 0,
        whole=policy.scope.among(facts.wholes) if policy.scope and best else None,
        together=_asked(policy, best) if best else {},
    )
    return reached, grounds


def awaits(policy: TierPolicy, facts: MonthlyFacts) -> str | None:
    """The household or company group whose month has to be known before this one can be assessed.

    None if none has.
    """
    return (
        policy.scope.among(facts.wholes)
        if policy.scope is not None and due(policy, facts)
        else None
    )


def override(standing: Standing, event: TierOverridden) -> Standing:
    """The standing with a tier set by hand beside it, instead of any before.

    None, if it ended within a month that was looked at already.
    """
    if standing.through is not None and event.until < last_day(standing.through):
        return changed(standing, override=None)
    return changed(
        standing, override=Override(event.tier, event.approver, event.reason, event.until)
    )


def withdrawn(standing: Standing) -> Standing:
    """The standing without a tier set by hand."""
    return changed(standing, override=None) if standing.override else standing


def override_on(policy: TierPolicy, standing: Standing, day: date) -> Override | None:
    """The override in force on a day, while it lasts and if the policy knows its tier."""
    override = standing.override
    return (
        override
        if override is not None and day <= override.until and policy.rank(override.tier) is not None
        else None
    )


def tier_on(policy: TierPolicy, standing: Standing, day: date) -> str:
    """The tier in force on a day.

    The override while it lasts, else the assessed tier from the day on that it takes effect, else
    the lowest.
    """
    if (by_hand := override_on(policy, standing, day)) is not None:
        return by_hand.tier
    in_force = (
        standing.before if standing.since is not None and day < standing.since else standing.tier
    )
    return in_force or policy.tiers[0].tier


class Announced(NamedTuple):
    """What a customer was told last: the tier in force, or the one to come.

    `since` is the day from which it holds, None if that was never said.
    """

    tier: str
    since: date | None
    by_hand: bool = False


def announced_on(policy: TierPolicy, standing: Standing, day: date) -> Announced:
    """What a customer was told by a day.

    An assessment is told when it is made: before its tier takes effect.
    """
    if (by_hand := override_on(policy, standing, day)) is not None:
        return Announced(by_hand.tier, None, by_hand=True)
    return Announced(standing.tier or policy.tiers[0].tier, standing.since)


def _asked(policy: TierPolicy, case: Case) -> dict[str, int]:
    return {name: case.seen[name] for name in policy.asked}


def due(policy: TierPolicy, facts: MonthlyFacts) -> bool:
    """Whether a month is one at whose end this customer is assessed."""
    return policy.covers(facts.traits.kind or "person") and assessed_in(
        policy, facts.month, facts.tenure_months
    )


def assessed_in(policy: TierPolicy, month: Month, tenure_months: int) -> bool:
    """Whether a customer of this tenure is assessed at a month's end."""
    return int(month[5:]) in policy.assessed_in or (
        policy.fast_track is not None and tenure_months <= policy.fast_track.through_months
    )


def _without_expired(standing: Standing, on: date) -> Standing:
    """The standing without an override that ended before the day before."""
    if standing.override is not None and standing.override.until < on - timedelta(days=1):
        return changed(standing, override=None)
    return standing
