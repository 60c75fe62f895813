"""Why did this customer stand in this tier on that date? Policy, months and events, from the journal alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from domain.accounts import BalanceReported, TransactionPosted
from domain.policy import TierPolicy
from domain.recorded import Recorded
from domain.tiering import Override, Standing, tier_on
from projections.customers import TIER
from projections.projection import Group, States
from replay.past import events_of
from streams.journal import Journal

LARGEST = 5


@dataclass(frozen=True)
class Moved:
    """A movement behind a month: where it is in the journal, and its amount in minor units."""

    position: int
    version: int
    source: str
    id: str
    business_date: date
    amount: int
    currency: str


@dataclass(frozen=True)
class Assessment:
    """One month's end: what was measured, what that reached, what became of it, and the events behind it."""

    month: str
    seen: dict[str, int]
    reached: str
    before: str | None
    after: str | None
    watch: int
    frozen: bool
    closed_at_position: int
    events: int
    first_version: int | None
    last_version: int | None
    largest: tuple[Moved, ...]


@dataclass(frozen=True)
class Explanation:
    """A tier on a date: under which policy, since when, every assessment that led there, and an override if one holds."""

    customer: str
    on: date
    tier: str
    since: date | None
    watch: int
    policy: str
    policy_digest: str
    override: Override | None
    assessments: tuple[Assessment, ...]

    def as_json(self) -> dict[str, Any]:
        """The explanation with the last assessment first, as a person reads it."""
        return {**vars(self), "assessments": self.assessments[::-1]}


def explain(journal: Journal, group: Group, policy: TierPolicy, stream: str, on: date) -> Explanation | None:
    """Why a customer stood where they stood on a date; None if nothing was recorded of them by then.

    `group` folds customers under `policy`. What an assessment led to counts from the day it takes effect.
    """
    states: States | None = None
    in_force, found, behind = Standing(), [], list[Recorded]()
    for event in events_of(journal, group, stream, occurred=on):
        before: Standing = (states or group.initial)[TIER]
        states = group.evolve(states or group.initial, event)
        after: Standing = states[TIER]
        if after.since is None or after.since <= on:
            in_force = after
            if after.grounds is not None and after.grounds != before.grounds:
                found.append(_assessment(before, after, event, behind))
        if group.everyone is not None and group.everyone(event.data):
            behind = []
        else:
            behind.append(event)
    return None if states is None else _explanation(policy, stream, on, in_force, found)


def _explanation(policy: TierPolicy, stream: str, on: date, standing: Standing, found: list[Assessment]) -> Explanation:
    override = standing.override if standing.override and on <= standing.override.until else None
    return Explanation(stream, on, tier_on(policy, standing, on), standing.since, standing.watch, policy.label, policy.digest, override, tuple(found))


def _assessment(before: Standing, after: Standing, closing: Recorded, behind: list[Recorded]) -> Assessment:
    assert after.grounds is not None
    versions = [event.version for event in behind]
    return Assessment(
        month=after.grounds.month,
        seen=after.grounds.seen,
        reached=after.grounds.reached,
        before=before.tier,
        after=after.tier,
        watch=after.watch,
        frozen=after.grounds.frozen,
        closed_at_position=closing.position,
        events=len(behind),
        first_version=min(versions, default=None),
        last_version=max(versions, default=None),
        largest=_largest(behind),
    )


def _largest(events: Iterable[Recorded]) -> tuple[Moved, ...]:
    moved = [each for event in events if (each := _moved(event)) is not None]
    return tuple(sorted(moved, key=lambda each: (-abs(each.amount), each.position))[:LARGEST])


def _moved(event: Recorded) -> Moved | None:
    match event.data:
        case TransactionPosted(amount=amount, currency=currency) | BalanceReported(balance=amount, currency=currency):
            return Moved(event.position, event.version, event.source, event.id, event.business_date, amount, currency)
        case _:
            return None
