"""Which tier does a customer stand in, since when, and on what grounds? Standings, and how to assess."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from domain.change import changed, made
from domain.conditions import Case, Condition, Gap, met, missing
from domain.days import Month, first_day, last_day, month_before, next_month
from domain.facts import MonthlyFacts
from domain.households import Told
from domain.interaction import Identifier, Interaction, Line, PlausibleDate
from domain.policy import TierPolicy
from domain.quantities import SUMMED, VALUES, Balances, counts_in, seen_in


class TierOverridden(Interaction):
    """Somebody entitled to it put the customer into a tier, with a reason, until a date."""

    tier: Identifier
    approver: Identifier
    reason: Line
    until: PlausibleDate


class TierChanged(Interaction):
    """The customer was told of another tier; a record of what was said, which no fold reads back."""

    before: Identifier
    after: Identifier
    policy: Line
    effective: PlausibleDate


@dataclass(frozen=True)
class Override:
    """A tier set by hand, until a date."""

    tier: str
    approver: str
    reason: str
    until: date


@dataclass(frozen=True)
class Grounds:
    """What the last assessment saw: the month, every measure of the policy and what its tiers ask for, and the tier reached.

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
    """Months through `due` have ended, and the next to be assessed waits for what the customer's household or company group came to.

    `told` has what is known of later ones already: households do not speak in order.
    """

    due: Month
    told: dict[Month, Told] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """A customer under a policy: tier (None before any assessment), since when, the one before, missed assessments in a row, grounds.

    `through` is the last month whose facts were looked at, whether or not its end was an assessment.
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


@dataclass(frozen=True)
class Outlook:
    """What could come next: the tier above and what is missing for it; the tier below, when it would come, and after how many misses.

    `to_keep` is what is missing to keep the present tier.
    """

    above: str | None = None
    missing: tuple[tuple[Gap, ...], ...] = ()
    to_keep: tuple[tuple[Gap, ...], ...] = ()
    below: str | None = None
    falls_on: date | None = None
    misses_left: int | None = None


def case_of(policy: TierPolicy, facts: MonthlyFacts) -> Case:
    """A month as the policy's conditions see it."""
    fast = policy.fast_track if policy.fast_track and facts.tenure_months <= policy.fast_track.through_months else None
    counts = counts_in(facts, policy.currency) if policy.asks_for_counts else {}
    return Case(seen_in(facts, policy.measures, policy.currency, fast.over if fast else None, counts), facts, policy.life_cycle.stage(facts))


def level(policy: TierPolicy, case: Case) -> int:
    """The highest tier, as an index from the lowest, whose condition is met."""
    place = len(policy.tiers) - 1
    while (reach := policy.tiers[place].reach) is not None and not met(reach, case):
        place -= 1
    return place


def assess(policy: TierPolicy, standing: Standing, facts: MonthlyFacts, together: Sequence[MonthlyFacts] = ()) -> Standing:
    """The standing after a month, which is that of the customer; the best of those of the household or group counts too.

    Source: the general machine behind the published rules of banks. Reached: up. Missed: on the watch list; missed
    as often as allowed: down to the level of the last assessment, or by one step.
    """
    standing = _without_expired(standing, first_day(next_month(facts.month)))
    if not _due(policy, facts):
        return changed(standing, through=facts.month)
    return _stepped(policy, changed(standing, through=facts.month), *judged(policy, facts, together))


def heading(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> tuple[str, Standing]:
    """What a month reaches that has not ended, if nothing more moves in it, and the standing that would follow; the whole is taken as it last was."""
    reached, grounds = judged(policy, facts)
    whole = _case_of_whole(policy, standing, facts)
    reached = max(reached, level(policy, whole)) if whole else reached
    return policy.tiers[reached].tier, _stepped(policy, standing, reached, grounds) if _due(policy, facts) else standing


def _stepped(policy: TierPolicy, standing: Standing, reached: int, grounds: Grounds) -> Standing:
    """Up, or watched, or down, by what an assessment reached."""
    effective = first_day(next_month(grounds.month))
    held = policy.place(standing.tier)
    standing = changed(standing, grounds=grounds, policy=policy.label)
    if held is None or reached > held:
        since = effective if policy.up == "next-month" else effective - timedelta(days=1)
        return changed(standing, tier=policy.tiers[reached].tier, since=since, before=standing.tier, watch=0)
    watch = 0 if reached == held else standing.watch + (not grounds.frozen)
    if watch < policy.misses_of(held):
        return changed(standing, watch=watch)
    return changed(standing, tier=policy.tiers[policy.falls_to(held, reached)].tier, since=effective, before=standing.tier, watch=0)


def judged(policy: TierPolicy, facts: MonthlyFacts, together: Sequence[MonthlyFacts] = ()) -> tuple[int, Grounds]:
    """The tier that a month reaches, by place, by itself or together with others; and on what grounds."""
    case = case_of(policy, facts)
    best = max((case_of(policy, each) for each in together), key=lambda each: level(policy, each), default=None)
    reached = max(level(policy, case), level(policy, best) if best else 0)
    grounds = made(
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
    """The household or company group whose month has to be known before this one can be assessed; None if none has."""
    return policy.scope.among(facts.wholes) if policy.scope is not None and _due(policy, facts) else None


def outlook(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Outlook:
    """What could come next for a customer, judged by a month: the one that ended, or the present one as it is heading.

    What is missing is said of the customer, or of the household or group where that is nearer, as it last was.
    """
    held, case = policy.place(standing.tier) or 0, case_now(policy, standing, facts)
    above = policy.tiers[held + 1] if held + 1 < len(policy.tiers) else None
    gaps = missing(above.reach, case) if above and above.reach else []
    reach = policy.tiers[held].reach
    if reach is None:
        return Outlook(above.tier if above else None, tuple(gaps))
    left = max(policy.misses_of(held) - standing.watch, 1)
    below = policy.tiers[policy.falls_to(held, min(level(policy, case), held - 1))].tier
    to_keep = () if level(policy, case) >= held else tuple(missing(reach, case))
    return Outlook(above.tier if above else None, tuple(gaps), to_keep, below, _after_assessments(policy, standing, facts, left), left)


def override(standing: Standing, event: TierOverridden) -> Standing:
    """The standing with a tier set by hand beside it, unless that ended with a month that was looked at already."""
    if standing.through is not None and event.until < last_day(standing.through):
        return standing
    return changed(standing, override=Override(event.tier, event.approver, event.reason, event.until))


def override_on(policy: TierPolicy, standing: Standing, day: date) -> Override | None:
    """The override in force on a day, while it lasts and if the policy knows its tier."""
    override = standing.override
    return override if override is not None and day <= override.until and policy.place(override.tier) is not None else None


def next_assessment(policy: TierPolicy, month: Month, tenure_months: int) -> Month:
    """The first month from this one on at whose end a customer of this tenure is assessed."""
    while not _assessed_in(policy, month, tenure_months):
        month, tenure_months = next_month(month), tenure_months + 1
    return month


def tier_on(policy: TierPolicy, standing: Standing, day: date) -> str:
    """The tier in force on a day: the override while it lasts, else the assessed tier from the day on that it takes effect, else the lowest."""
    if (by_hand := override_on(policy, standing, day)) is not None:
        return by_hand.tier
    in_force = standing.before if standing.since is not None and day < standing.since else standing.tier
    return in_force or policy.tiers[0].tier


def case_now(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Case:
    """A month as the policy's conditions see it: the customer's own, or that of the household or group where it is better or nearer to better."""
    own, whole = case_of(policy, facts), _case_of_whole(policy, standing, facts)
    if whole is None:
        return own
    here, there = level(policy, own), level(policy, whole)
    above = policy.tiers[here + 1].reach if here == there and here + 1 < len(policy.tiers) else None
    nearer = there > here or (above is not None and _distance(above, whole) < _distance(above, own))
    return whole if nearer else own


def _distance(reach: Condition, case: Case) -> tuple[int, int]:
    """How far a condition is from being met, by the nearest way: parts that are missing, and how much of them."""
    gaps = next(iter(missing(reach, case)), ())
    return len(gaps), sum(abs(gap.needs - gap.has) for gap in gaps if isinstance(gap.needs, int) and isinstance(gap.has, int))


def _case_of_whole(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Case | None:
    """What the household or group that counts in a month came to when it was last known; the traits are the customer's own."""
    grounds = standing.grounds
    if policy.scope is None or grounds is None or grounds.whole is None or policy.scope.among(facts.wholes) != grounds.whole:
        return None
    if policy.scope.take == "max" and grounds.together == grounds.seen:
        return None  # the best of it was the customer
    permille = {"sum": 1000, "share": facts.wholes[grounds.whole], "max": 0}[policy.scope.take]
    now = case_of(policy, facts)
    seen = {name: _moved(policy, name, has, grounds.seen.get(name, 0), now.seen[name], permille) for name, has in grounds.together.items()}
    return Case(seen, facts, now.stage)


def _moved(policy: TierPolicy, name: str, together: int, then: int, now: int, permille: int) -> int:
    """A quantity of the whole, with the customer's own part of it as it is now; one that does not add up stays what it was."""
    if isinstance(policy.measures.get(name), Balances) or name in VALUES:
        return together + (now - then) * permille // 1000
    return together + now - then if name in SUMMED and permille else together


def _asked(policy: TierPolicy, case: Case) -> dict[str, int]:
    return {name: case.seen[name] for name in policy.asked}


def _due(policy: TierPolicy, facts: MonthlyFacts) -> bool:
    """Whether a month is one at whose end this customer is assessed."""
    return policy.applies_to in ("everyone", facts.traits.kind or "person") and _assessed_in(policy, facts.month, facts.tenure_months)


def _assessed_in(policy: TierPolicy, month: Month, tenure_months: int) -> bool:
    return int(month[5:]) in policy.assessed_in or (policy.fast_track is not None and tenure_months <= policy.fast_track.through_months)


def _after_assessments(policy: TierPolicy, standing: Standing, facts: MonthlyFacts, count: int) -> date:
    """The day on which a fall takes effect, if so many assessments after the last one are missed."""
    month = facts.month
    tenure = facts.tenure_months
    while standing.grounds is not None and month > standing.grounds.month:
        month, tenure = month_before(month), tenure - 1
    while count > 0:
        month, tenure = next_month(month), tenure + 1
        count -= _assessed_in(policy, month, tenure)
    return first_day(next_month(month))


def _without_expired(standing: Standing, on: date) -> Standing:
    """The standing without an override that ended before the day before."""
    if standing.override is not None and standing.override.until < on - timedelta(days=1):
        return changed(standing, override=None)
    return standing
