"""Why did this customer stand in this tier on that date?

Policy, months and events, from the journal alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, cast

from domain.accounts.events import BalanceReported, TransactionPosted, TransactionReversed
from domain.calendar import Month, first_day, month_of, next_month
from domain.envelope import Recorded
from domain.event_types import type_key
from domain.rules.conditions import Gap
from domain.tiering.assessment import Override, Standing, override_on, tier_on
from domain.tiering.bounds import Bounds, bounds_of
from domain.tiering.policy import RETAIL, TierPolicy
from projections.bank.day_end import ends_a_month
from projections.cases.complaints import with_disputes
from projections.rollout.versions import Rules
from projections.tiering.standing import steps, steps_together
from projections.views.customer import Customer
from projections.views.history import History, customer_then, customers_under
from replay.history.as_of import as_of, events_of
from replay.history.person import customer_as_of, wholes_then
from streams.journal import Journal

LARGEST = 5


class NoScheme(ValueError):
    """A scheme that was not live then; says which were."""


@dataclass(frozen=True)
class Moved:
    """A movement or a stated balance behind a month: where it is in the journal, the type of its
    event, of a transaction which kind, and its amount in minor units.

    `number` says by which number of a person who has several.
    """

    position: int
    version: int
    source: str
    id: str
    business_date: date
    type: str
    kind: str | None
    amount: int
    currency: str
    number: str | None = None


@dataclass(frozen=True)
class Assessment:
    """An assessment at a month's end.

    What was measured, what that reached, what became of it, and the events since the one before.

    `change` is what was measured less what the assessment before measured; empty for the first.
    `met` has what the reached tier asks for and what there was; `missed` what was missing for the
    tier `missed_for`: the one held before, if the month missed it, else the next one up.

    `whole` is the household or company group that counted too, and `together` what was measured of
    it. Of a person with several numbers, `number` is the one whose month was closed at that
    position; versions are not told, because there are several histories.
    """

    month: str
    seen: dict[str, int]
    reached: str
    before: str | None
    after: str | None
    since: date | None
    effective: date
    watch: int
    frozen: bool
    closed_at_position: int
    events: int
    first_version: int | None
    last_version: int | None
    largest: tuple[Moved, ...]
    whole: str | None = None
    together: dict[str, int] = field(default_factory=dict)
    number: str | None = None
    change: dict[str, int] = field(default_factory=dict)
    met: tuple[Gap, ...] = ()
    missed_for: str | None = None
    missed: tuple[tuple[Gap, ...], ...] = ()


@dataclass(frozen=True)
class Explanation:
    """A tier on a date.

    Under which policy, since when, every assessment that led there, and an override if one holds.
    `numbers` has all of a person who has several, the one that stays first.

    Where several schemes are live, `schemes` has the tier in each, and `because` says why this
    `scheme` counts. Where none does, there is no tier. `amounts` has the currency of each quantity
    that is an amount, and `tiers` what each tier is called.
    """

    customer: str
    on: date
    tier: str | None
    since: date | None
    watch: int
    policy: str
    policy_digest: str
    override: Override | None
    assessments: tuple[Assessment, ...]
    numbers: tuple[str, ...] = ()
    scheme: str | None = RETAIL
    because: tuple[str, ...] = ()
    schemes: dict[str, str] = field(default_factory=dict)
    amounts: dict[str, str] = field(default_factory=dict)
    tiers: dict[str, dict[str, str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The explanation with the last assessment first, as a person reads it."""
        return {**vars(self), "assessments": self.assessments[::-1]}


def explain(
    journal: Journal, rules: Rules, stream: str, on: date, scheme: str | None = None
) -> Explanation | None:
    """Why a customer stands where they stand on a date under the policy of a scheme; if none is
    named, of the one that counts for them.

    None if nothing was recorded of them by then. Raises `NoScheme` for one that was not live.

    What an assessment led to counts from the day it takes effect.
    """
    if scheme is not None and scheme not in rules.policies:
        raise NoScheme(f"there was no scheme {scheme}: there were {', '.join(rules.policies)}")
    who = customer_as_of(journal, rules, stream, occurred=on)
    if who is None:
        return None
    who = (who.under(scheme) if scheme else None) or who.on(on)
    policy = who.policy
    if who.numbers:
        found = _of_person(journal, policy, who, on)
    else:
        found = _of_number(journal, policy, stream, on)
    explained = _explanation(who, stream, on, found)
    return replace(explained, numbers=who.numbers, schemes=who.tiers(on))


def _of_number(journal: Journal, policy: TierPolicy, stream: str, on: date) -> list[Assessment]:
    group = customers_under([policy])
    states = cast("History", group.initial)
    found, behind = list[Assessment](), list[Recorded]()
    for event in events_of(journal, group, stream, occurred=on):
        before, states = states, cast("History", group.evolve(states, event))
        if not ends_a_month(event.data):
            behind.append(event)
        [standing] = before.standings
        months = states.facts.months
        rows = with_disputes(months.known_at(event), states.complaints)
        for after in steps(policy, standing, event, rows) if months.heeds(event) else ():
            if after.grounds is not None and after.grounds != standing.grounds:
                of_then, behind = _split(behind, after.grounds.month)
                bounds = bounds_of(policy, rows[after.grounds.month], after.grounds, standing.tier)
                found.append(_assessment(standing, after, event, of_then, bounds))
            standing = after
    return found


def _of_person(
    journal: Journal, policy: TierPolicy, person: Customer, on: date
) -> list[Assessment]:
    """Why a person stands there who has several numbers.

    By the months and the events of all of which anything is known.
    """
    behind, closings = list[Recorded](), dict[Month, tuple[str, Recorded]]()
    group = customers_under([policy])
    for number in person.numbers:
        states = cast("History", group.initial)
        for event in events_of(journal, group, number, occurred=on):
            before, states = states, cast("History", group.evolve(states, event))
            for month in states.facts.months.rows.keys() - before.facts.months.rows.keys():
                closings.setdefault(month, (number, event))
            if not ends_a_month(event.data):
                behind.append(event)
    rules = Rules.of(policy)
    each = [
        customer_then(number, states, rules)
        for number in person.numbers
        if (states := as_of(journal, group, number, occurred=on)) is not None
    ]
    wholes = wholes_then(journal, rules, each, occurred=on).get(policy.scheme, [])
    told = {whole.name: whole.told() for whole in wholes}
    found, standing = list[Assessment](), Standing()
    behind.sort(key=lambda event: (event.business_date, event.recorded_at, event.stream))
    for after in steps_together(policy, person.rows, told):
        if after.grounds is not None and after.grounds != standing.grounds:
            of_then, behind = _split(behind, after.grounds.month)
            closed_by, closing = closings[after.grounds.month]
            facts = person.rows[after.grounds.month]
            bounds = bounds_of(policy, facts, after.grounds, standing.tier)
            found.append(_assessment(standing, after, closing, of_then, bounds, closed_by))
        standing = after
    return found


def _split(events: Sequence[Recorded], month: Month) -> tuple[list[Recorded], list[Recorded]]:
    """The events up to the end of a month, by business date, and those after it."""
    return [event for event in events if month_of(event.business_date) <= month], [
        event for event in events if month_of(event.business_date) > month
    ]


def _explanation(who: Customer, stream: str, on: date, found: Sequence[Assessment]) -> Explanation:
    """What is in force on the day: an assessment counts from the day that it takes effect."""
    in_force = [each for each in found if each.effective <= on]
    last = in_force[-1] if in_force else None
    covered = who.scheme is not None
    return Explanation(
        customer=stream,
        on=on,
        tier=tier_on(who.policy, who.standing, on) if covered else None,
        since=last.since if last and covered else None,
        watch=last.watch if last and covered else 0,
        policy=who.policy.label,
        policy_digest=who.policy.digest,
        override=override_on(who.policy, who.standing, on),
        assessments=tuple(in_force) if covered else (),
        scheme=who.scheme,
        because=who.because,
        amounts=who.policy.amounts,
        tiers=who.policy.names,
    )


def _assessment(
    before: Standing,
    after: Standing,
    closing: Recorded,
    behind: list[Recorded],
    bounds: Bounds,
    number: str | None = None,
) -> Assessment:
    assert after.grounds is not None
    now, earlier = after.grounds.seen, before.grounds.seen if before.grounds else {}
    versions = [] if number else [event.version for event in behind]
    return Assessment(
        month=after.grounds.month,
        seen=after.grounds.seen,
        reached=after.grounds.reached,
        before=before.tier,
        after=after.tier,
        since=after.since,
        effective=after.since
        if after.tier != before.tier and after.since
        else first_day(next_month(after.grounds.month)),
        watch=after.watch,
        frozen=after.grounds.frozen,
        closed_at_position=closing.position,
        events=len(behind),
        first_version=min(versions, default=None),
        last_version=max(versions, default=None),
        largest=_largest(behind, named=number is not None),
        whole=after.grounds.whole,
        together=after.grounds.together,
        number=number,
        change={name: now[name] - value for name, value in earlier.items() if name in now},
        met=bounds.met,
        missed_for=bounds.missed_for,
        missed=bounds.missed,
    )


def _largest(events: Iterable[Recorded], *, named: bool) -> tuple[Moved, ...]:
    moved = [each for event in events if (each := _moved(event, named=named)) is not None]
    return tuple(sorted(moved, key=lambda each: (-abs(each.amount), each.position))[:LARGEST])


def _moved(event: Recorded, *, named: bool) -> Moved | None:
    match event.data:
        case TransactionPosted(amount=amount, currency=currency, kind=kind):
            return _moving(event, amount, currency, kind, named=named)
        case BalanceReported(balance=amount, currency=currency):
            return _moving(event, amount, currency, named=named)
        case TransactionReversed(amount=amount, currency=currency):
            return _moving(event, -amount, currency, named=named)
        case _:
            return None


def _moving(
    event: Recorded, amount: int, currency: str, kind: str | None = None, *, named: bool
) -> Moved:
    return Moved(
        event.position,
        event.version,
        event.source,
        event.id,
        event.business_date,
        type_key(type(event.data)),
        kind,
        amount,
        currency,
        event.stream if named else None,
    )
