"""What would a restatement change, for whom, and what does it cost?"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pydantic_core import to_jsonable_python

from domain.calendar import Month
from domain.restatements.scope import Scope
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from replay.restatements.one_customer import Outcome

NAMED = 1_000
"""Customers whom a report names; the others are counted."""


@dataclass(frozen=True)
class Mover:
    """A customer who stands in another tier of a scheme, or in the same one since another day; how
    many changes were told that would not have been; and by how much the yearly fee changes, in
    minor units of the policy's currency.
    """

    customer: str
    scheme: str
    before: str | None
    after: str | None
    since_before: date | None
    since_after: date | None
    wrong: int
    fee: int


@dataclass(frozen=True)
class Step:
    """How many go from one tier of a scheme to another, or hold the same one since another day, and
    what becomes of their yearly fees, in minor units.
    """

    scheme: str
    before: str | None
    after: str | None
    customers: int
    fees: int


@dataclass(frozen=True)
class Report:
    """What a restatement changes: the months that count anew, of how many customers, by how many
    late events; who moves, a thousand by name; and how many changes of tier were told that would
    not have been, to how many customers.

    `content` covers every event that is placed and every row, so that `digest`, which an approval
    names, covers all.
    """

    restatement: str
    months: tuple[Month, ...]
    customers: int
    events: int
    steps: tuple[Step, ...]
    wrong: int
    told_wrongly: int
    movers: tuple[Mover, ...]
    content: str

    @property
    def digest(self) -> str:
        """A SHA-256 over all that the report says."""
        return hashlib.sha256(_spelt(asdict(self))).hexdigest()


class Counting:
    """Makes a report of outcomes, one after the other, in the same order each time."""

    def __init__(self, name: str, scope: Scope, policies: Sequence[TierPolicy]) -> None:
        self._name = name
        self._scope = scope
        self._policies = policies
        self._customers = self._events = 0
        self._wrong: Counter[str] = Counter()
        self._steps: Counter[tuple[str, str | None, str | None, int]] = Counter()
        self._movers: list[Mover] = []
        self._content = hashlib.sha256()

    def add(self, found: Outcome) -> None:
        """Count one customer more."""
        self._customers += 1
        self._events += len(found.moved)
        self._content.update(_content(found))
        if wrong := sum(map(len, found.said.wrong.values())):
            self._wrong[found.stream] = wrong
        for policy, before, after in zip(self._policies, found.before, found.after, strict=True):
            if (before.tier, before.since) != (after.tier, after.since):
                self._move(found, policy, before, after)

    def _move(self, found: Outcome, policy: TierPolicy, before: Standing, after: Standing) -> None:
        fee = _fee(policy, after.tier) - _fee(policy, before.tier)
        self._steps[policy.scheme, before.tier, after.tier, fee] += 1
        if len(self._movers) < NAMED:
            wrong = len(found.said.wrong.get(policy.scheme, ()))
            days = (before.since, after.since)
            self._movers.append(
                Mover(found.stream, policy.scheme, before.tier, after.tier, *days, wrong, fee)
            )

    def report(self) -> Report:
        """What was counted."""
        steps = [
            Step(scheme, before, after, count, count * fee)
            for (scheme, before, after, fee), count in sorted(self._steps.items(), key=repr)
        ]
        return Report(
            self._name,
            self._scope.months,
            self._customers,
            self._events,
            tuple(steps),
            self._wrong.total(),
            len(self._wrong),
            tuple(self._movers),
            self._content.hexdigest(),
        )


def _content(found: Outcome) -> bytes:
    """All that makes an outcome another one: not how far the customer's stream is."""
    return _spelt(
        {
            "customer": found.stream,
            "events": [f"{each.source}#{each.id}" for each in found.moved],
            "rows": found.said.rows,
            "gone": found.said.gone,
            "told": found.said.told,
            "wrong": found.said.wrong,
            "before": [(each.tier, each.since) for each in found.before],
            "after": [(each.tier, each.since) for each in found.after],
        }
    )


def _spelt(said: Any) -> bytes:
    """The one spelling of what a digest covers."""
    return json.dumps(to_jsonable_python(said), sort_keys=True, ensure_ascii=False).encode()


def _fee(policy: TierPolicy, tier: str | None) -> int:
    """What a customer of a tier pays a year, in minor units; nothing before any assessment."""
    rank = policy.rank(tier)
    return 0 if rank is None else sum(policy.tiers[rank].service.fees.values())
