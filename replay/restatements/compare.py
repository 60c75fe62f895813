"""What would a restatement change, for whom, and what does it cost?"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import msgspec
from pydantic_core import to_jsonable_python

from domain.accounts.events import TransactionReversed
from domain.calendar import Month
from domain.event_types import type_key
from domain.restatements.scope import Scope
from domain.tiering.policy import TierPolicy
from replay.restatements.one_customer import Outcome, Restating
from streams.journal import Shard, part_decoder

NAMED = 1_000
"""Customers whom a report names; the others are counted."""
CHUNK_ROWS = 10_000


class LateHead(msgspec.Struct):
    """What the head of a stored event says of whether it came late."""

    source: str
    id: str
    business_date: date


@dataclass(frozen=True)
class Mover:
    """A customer whose tier in a scheme changes, how many changes were told that would not have
    been, and by how much the yearly fee changes, in minor units of the policy's currency.
    """

    customer: str
    scheme: str
    before: str | None
    after: str | None
    wrong: int
    fee: int


@dataclass(frozen=True)
class Step:
    """How many customers go from one tier of a scheme to another, and what becomes of the fees."""

    scheme: str
    before: str | None
    after: str | None
    customers: int
    fees: int


@dataclass(frozen=True)
class Report:
    """What a restatement changes: the months that count anew, of how many customers, by how many
    late events; who moves, a thousand by name; and how many changes of tier were told that would
    not have been, of how many customers.

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
        said = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()


def concerned(shard: Shard, restating: Restating, scope: Scope) -> Iterator[str]:
    """The customers of a shard who may have a late event in a scope, each once.

    Trap: on which day a reversal counts is sealed. So each that came behind the first month counts
    as one that may be late.
    """
    if scope.customers:
        yield from (each for each in scope.customers if shard.rows(each, limit=1))
        return
    decode, seen, after = part_decoder(LateHead), set[str](), 0
    first = next(
        (
            end.position
            for end in restating.ends
            if end.business_date.isoformat()[:7] >= min(scope.months)
        ),
        None,
    )
    if first is None:
        return
    after = first
    while rows := shard.stored(after, CHUNK_ROWS):
        for row in rows:
            if row.stream in seen or not row.stream.startswith("customer:"):
                continue
            head = decode(row.state)
            may_be_late = (
                row.event_type == REVERSED or head.business_date.isoformat()[:7] in scope.months
            )
            if may_be_late and scope.source in (None, head.source):
                if head.id.startswith(scope.ids or ""):
                    seen.add(row.stream)
                    yield row.stream
        after = rows[-1].position


REVERSED = type_key(TransactionReversed)


class Counting:
    """Makes a report of outcomes, one after the other."""

    def __init__(self, name: str, scope: Scope, policies: Sequence[TierPolicy]) -> None:
        self._name = name
        self._scope = scope
        self._policies = policies
        self._customers = self._events = self._wrong = self._told = 0
        self._steps: Counter[tuple[str, str | None, str | None]] = Counter()
        self._movers: list[Mover] = []
        self._content = hashlib.sha256()

    def add(self, found: Outcome) -> None:
        """Count one customer more; by shard and name, so that two reports say the same."""
        self._customers += 1
        self._events += len(found.moved)
        wrong = {scheme: len(names) for scheme, names in found.said.wrong.items()}
        self._wrong += sum(wrong.values())
        self._told += bool(wrong)
        self._content.update(_content(found))
        for policy, before, after in zip(self._policies, found.before, found.after, strict=True):
            if before.tier != after.tier:
                scheme = policy.scheme
                self._steps[scheme, before.tier, after.tier] += 1
                if len(self._movers) < NAMED:
                    fee = _fee(policy, after.tier) - _fee(policy, before.tier)
                    self._movers.append(
                        Mover(
                            found.stream,
                            scheme,
                            before.tier,
                            after.tier,
                            wrong.get(scheme, 0),
                            fee,
                        )
                    )

    def report(self) -> Report:
        """What was counted."""
        by_scheme = {policy.scheme: policy for policy in self._policies}
        steps = tuple(
            Step(
                scheme,
                before,
                after,
                count,
                count * (_fee(by_scheme[scheme], after) - _fee(by_scheme[scheme], before)),
            )
            for (scheme, before, after), count in sorted(self._steps.items(), key=repr)
        )
        return Report(
            self._name,
            self._scope.months,
            self._customers,
            self._events,
            steps,
            self._wrong,
            self._told,
            tuple(self._movers),
            self._content.hexdigest(),
        )


def _content(found: Outcome) -> bytes:
    """All that makes an outcome another one: not how far the customer's stream is."""
    said: Any = {
        "customer": found.stream,
        "events": [f"{each.source}#{each.id}" for each in found.moved],
        "rows": to_jsonable_python(found.said.rows),
        "gone": found.said.gone,
        "wrong": found.said.wrong,
        "tiers": [
            (before.tier, after.tier)
            for before, after in zip(found.before, found.after, strict=True)
        ],
    }
    return json.dumps(said, sort_keys=True, ensure_ascii=False).encode()


def _fee(policy: TierPolicy, tier: str | None) -> int:
    """What a customer of a tier pays a year, in minor units; nothing before any assessment."""
    rank = policy.rank(tier)
    return 0 if rank is None else sum(policy.tiers[rank].service.fees.values())
