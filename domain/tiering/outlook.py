"""What could come next for a customer?

Where a month is heading, what is missing to rise and to stay, what would lead down and when.
"""

from dataclasses import dataclass
from datetime import date

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month, first_day, month_before, next_month
from domain.rules.conditions import Case, Condition, Gap, missing
from domain.rules.quantities import SUMMED, VALUES, Balances
from domain.tiering.assessment import Standing, assessed_in, case_of, due, judged, level, stepped
from domain.tiering.policy import TierPolicy


@dataclass(frozen=True)
class Outlook:
    """What could come next: the tier above and what is missing for it.

    The tier below, when it would come, and after how many misses.

    `to_keep` is what is missing to keep the present tier.
    """

    above: str | None = None
    missing: tuple[tuple[Gap, ...], ...] = ()
    to_keep: tuple[tuple[Gap, ...], ...] = ()
    below: str | None = None
    falls_on: date | None = None
    misses_left: int | None = None


def heading(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> tuple[str, Standing]:
    """What a month reaches that has not ended, if nothing more moves in it, and the standing that
    would follow; the whole is taken as it last was.
    """
    reached, grounds = judged(policy, facts)
    whole = _case_of_whole(policy, standing, facts)
    reached = max(reached, level(policy, whole)) if whole else reached
    return policy.tiers[reached].tier, stepped(policy, standing, reached, grounds) if due(
        policy, facts
    ) else standing


def outlook(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Outlook:
    """What could come next for a customer, judged by a month.

    The one that ended, or the present one as it is heading.

    What is missing is said of the customer, or of the household or group where that is nearer, as
    it last was.
    """
    held, case = policy.rank(standing.tier) or 0, case_now(policy, standing, facts)
    above = policy.tiers[held + 1] if held + 1 < len(policy.tiers) else None
    gaps = missing(above.reach, case) if above and above.reach else []
    reach = policy.tiers[held].reach
    if reach is None:
        return Outlook(above.tier if above else None, tuple(gaps))
    left = max(policy.misses_of(held) - standing.watch, 1)
    below = policy.tiers[policy.falls_to(held, min(level(policy, case), held - 1))].tier
    to_keep = () if level(policy, case) >= held else tuple(missing(reach, case))
    return Outlook(
        above.tier if above else None,
        tuple(gaps),
        to_keep,
        below,
        _after_assessments(policy, standing, facts, left),
        left,
    )


def next_assessment(policy: TierPolicy, month: Month, tenure_months: int) -> Month:
    """The first month from this one on at whose end a customer of this tenure is assessed."""
    while not assessed_in(policy, month, tenure_months):
        month, tenure_months = next_month(month), tenure_months + 1
    return month


def case_now(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Case:
    """A month as the policy's conditions see it.

    The customer's own, or that of the household or group where it is better or nearer to better.
    """
    own, whole = case_of(policy, facts), _case_of_whole(policy, standing, facts)
    if whole is None:
        return own
    here = level(policy, own)
    above = policy.tiers[here + 1].reach if here + 1 < len(policy.tiers) else None
    return better_or_nearer(policy, own, whole, above)


def better_or_nearer(policy: TierPolicy, own: Case, whole: Case, above: Condition | None) -> Case:
    """The one of two cases that reaches more, or of two that reach the same the one that is nearer
    to what is `above`; the customer's own, if neither is.
    """
    here, there = level(policy, own), level(policy, whole)
    if here != there:
        return whole if there > here else own
    nearer = above is not None and _distance(above, whole) < _distance(above, own)
    return whole if nearer else own


def _distance(reach: Condition, case: Case) -> tuple[int, int]:
    """How far a condition is from being met, by the nearest way.

    Parts that are missing, and how much of them.
    """
    gaps = next(iter(missing(reach, case)), ())
    return len(gaps), sum(
        abs(gap.needs - gap.has)
        for gap in gaps
        if isinstance(gap.needs, int) and isinstance(gap.has, int)
    )


def _case_of_whole(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Case | None:
    """What the household or group that counts in a month came to when it was last known.

    The traits are the customer's own.
    """
    grounds = standing.grounds
    if (
        policy.scope is None
        or grounds is None
        or grounds.whole is None
        or policy.scope.among(facts.wholes) != grounds.whole
    ):
        return None
    if policy.scope.take == "max" and grounds.together == grounds.seen:
        return None  # the best of it was the customer
    permille = {"sum": 1000, "share": facts.wholes[grounds.whole], "max": 0}[policy.scope.take]
    now = case_of(policy, facts)
    seen = {
        name: _moved(policy, name, has, grounds.seen.get(name, 0), now.seen[name], permille)
        for name, has in grounds.together.items()
    }
    return Case(seen, facts, now.stage)


def _moved(policy: TierPolicy, name: str, together: int, then: int, now: int, permille: int) -> int:
    """A quantity of the whole, with the customer's own part of it as it is now.

    One that does not add up stays what it was.
    """
    if isinstance(policy.measures.get(name), Balances) or name in VALUES:
        return together + (now - then) * permille // 1000
    adds_up = name in SUMMED and policy.scope is not None and policy.scope.take != "max"
    return together + now - then if adds_up else together


def _after_assessments(
    policy: TierPolicy, standing: Standing, facts: MonthlyFacts, count: int
) -> date:
    """The day on which a fall takes effect, if so many assessments after the last one
    are missed.
    """
    month = facts.month
    tenure = facts.tenure_months
    while standing.grounds is not None and month > standing.grounds.month:
        month, tenure = month_before(month), tenure - 1
    while count > 0:
        month, tenure = next_month(month), tenure + 1
        count -= assessed_in(policy, month, tenure)
    return first_day(next_month(month))
