"""What is a tiering rule?

Data: measures, tiers and when they are reached, how one rises, stays and falls.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from hashlib import sha256
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from domain.accounts.currencies import as_money
from domain.accounts.monthly_facts import MonthlyFacts
from domain.event import Channel, Currency, Identifier, Line, Price, later
from domain.households.membership import Take
from domain.rules.conditions import (
    AtLeast,
    AtMost,
    Atom,
    Condition,
    Holds,
    OneOf,
    atoms,
    contradiction,
    count_ways,
    implies,
    ways,
)
from domain.rules.quantities import COUNTS, VALUES, Balances, Measure, Over, Points
from domain.tiering.amounts import in_minor_units

MOST_WAYS = 200
RETAIL = "retail"
"""The scheme of a policy that names none."""
SchemeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9\-]{0,39}$")]
Stage = Literal["new", "active", "dormant"]
STAGES: tuple[Stage, ...] = ("new", "active", "dormant")
NAMED = {"stage": STAGES, "kind": ("person", "company")}
"""Traits of which we know all that they can be."""


class ServiceStrategy(BaseModel):
    """How customers of a tier are served.

    Who advises them, benefits, what they pay a year by kind (minor units of the policy), channels
    of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    adviser: Literal["none", "shared", "dedicated", "team"] = "none"
    benefits: tuple[Line, ...] = ()
    fees: dict[Identifier, Price] = Field(default_factory=dict)
    channels: tuple[Channel, ...] = ()


class Tier(BaseModel):
    """A tier: its names by language, when it is reached (the lowest always is), and how one leaves
    it downwards.

    `misses_allowed` and `drop_to` say otherwise than the policy, for those who stand in this tier.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tier: Identifier
    name: dict[str, str]
    reach: Condition | None = None
    misses_allowed: Annotated[int, Field(ge=1, le=120)] | None = None
    drop_to: Literal["level", "one-step"] | None = None
    service: ServiceStrategy = ServiceStrategy()


class FastTrack(BaseModel):
    """New customers are assessed at every month's end, and by these balances instead of averages
    they cannot have yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    through_months: Annotated[int, Field(ge=1, le=24)]
    over: Over = "closing"


class LifeCycle(BaseModel):
    """Until when a customer is new, and after how many months without an active day dormant."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    new_through_months: Annotated[int, Field(ge=0, le=120)] = 3
    dormant_from_months: Annotated[int, Field(ge=1, le=120)] = 6

    def stage(self, facts: MonthlyFacts) -> str:
        """`new`, `active` or `dormant`, at the end of a month."""
        if facts.tenure_months <= self.new_through_months:
            return "new"
        return "dormant" if -facts.streak >= self.dormant_from_months else "active"


class ByHand(BaseModel):
    """The highest tier that one person may set by hand `alone` (none if it is not said), and for
    how many days at most; above that tier it takes two.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    alone: Identifier | None = None
    longest_days: Annotated[int, Field(ge=1, le=36_600)] = 366


class Scope(BaseModel):
    """Whose facts count beside the customer's own: those of a household or company group, taken so.

    `sum` adds up the members' facts, `share` adds up each member's share of them, `max` takes the
    best member of a household. The better of the two levels counts: the customer's own, or that of
    the whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    of: Literal["household", "company-group"]
    take: Take = "sum"

    @model_validator(mode="after")
    def _of_households(self) -> Self:
        if self.take == "max" and self.of != "household":
            raise ValueError(
                "the best member counts for households alone: of a company group take the sum or "
                "the shares"
            )
        return self

    def among(self, wholes: Mapping[str, int]) -> str | None:
        """Which of the wholes that a month counts in is meant."""
        kind = "household:" if self.of == "household" else "company:"
        return next((whole for whole in wholes if whole.startswith(kind)), None)


class Threshold(NamedTuple):
    """What a tier asks of a quantity; an amount also as people write it."""

    tier: str
    quantity: str
    bound: int
    at_most: bool
    money: str | None

    def __str__(self) -> str:
        """As a person would say it."""
        bound = self.money or f"{self.bound:,}"
        return f"{self.tier}: {self.quantity} at {'most' if self.at_most else 'least'} {bound}"


class TierPolicy(BaseModel):
    """A tiering rule as data, of one of the schemes that stand side by side in the bank.

    Amounts are minor units of `currency`.

    Assessed at the ends of the months in `assessed_in`. Reached: up, `at-once` (on the last day of
    that month) or on the first day of the `next-month`. Missed: on the watch list; after
    `misses_allowed` missed assessments in a row down, to the `level` of the last one or by
    `one-step`. While a case of the customer is open and `freeze_in_dispute` is set, a miss does not
    count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    policy: Identifier
    version: Annotated[int, Field(ge=1)]
    scheme: SchemeName = later(RETAIL)
    source: Annotated[str, Field(min_length=1)]
    currency: Currency
    effective: date
    author: Identifier
    applies_to: Literal["everyone", "person", "company"] = "everyone"
    measures: dict[Identifier, Measure] = Field(default_factory=dict)
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=30)]
    scope: Scope | None = None
    assessed_in: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1)] = (
        tuple(range(1, 13))
    )
    up: Literal["at-once", "next-month"] = "next-month"
    misses_allowed: Annotated[int, Field(ge=1, le=120)]
    drop_to: Literal["level", "one-step"] = "level"
    fast_track: FastTrack | None = None
    freeze_in_dispute: bool = False
    life_cycle: LifeCycle = LifeCycle()
    by_hand: ByHand | None = later(None)

    @model_validator(mode="before")
    @classmethod
    def _in_minor_units(cls, said: Any) -> Any:
        """Amounts may be written with their unit, as `500,000 CNY` or `50万`."""
        return in_minor_units(said) if isinstance(said, Mapping) else said

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        """Refuse a policy under which some customer would have no tier, two, or one that
        nobody can reach.
        """
        if faults := list(_too_many_ways(self)):
            raise ValueError("; ".join(faults))
        if faults := [*_unknown(self), *_unknown_by_hand(self), *_undecidable(self)]:
            raise ValueError("; ".join(faults))
        return self

    @property
    def label(self) -> str:
        """The name that standings and decisions refer to it by."""
        return f"{self.policy}@{self.version}"

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that works out anew what follows from its fields, such as its digest."""
        made = super().model_copy(update=update, deep=deep)
        for name in made.__dict__.keys() - type(self).model_fields.keys():
            del made.__dict__[name]
        return made

    @cached_property
    def digest(self) -> str:
        """A SHA-256 over all that the policy says, whatever the spelling of its file."""
        return sha256(json.dumps(self.said, sort_keys=True).encode()).hexdigest()

    @property
    def said(self) -> dict[str, JsonValue]:
        """All that the policy says, as JSON."""
        return self.model_dump(mode="json")

    def is_money(self, quantity: str) -> bool:
        """Whether a quantity is an amount, and no count."""
        return quantity in VALUES or isinstance(self.measures.get(quantity), Balances)

    def covers(self, kind: str) -> bool:
        """Whether customers of a kind (`person`, `company`) are assessed by it."""
        return self.applies_to in ("everyone", kind)

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """The quantities that stand among the grounds of a standing.

        The measures, and what the tiers ask for.
        """
        wanted = {
            atom.quantity
            for tier in self.tiers
            if tier.reach
            for atom in atoms(tier.reach)
            if isinstance(atom, AtLeast | AtMost)
        }
        return (*self.measures, *sorted(wanted - self.measures.keys()))

    @property
    def amounts(self) -> dict[str, str]:
        """Of the quantities that are asked, those that are amounts, and in which currency."""
        return {name: self.currency for name in self.asked if self.is_money(name)}

    @property
    def names(self) -> dict[str, dict[str, str]]:
        """What each tier is called, by language."""
        return {tier.tier: tier.name for tier in self.tiers}

    def thresholds(self) -> list[Threshold]:
        """What each tier asks of quantities, from the lowest tier."""
        return [
            self._threshold(tier.tier, atom)
            for tier in self.tiers
            if tier.reach
            for atom in atoms(tier.reach)
            if isinstance(atom, AtLeast | AtMost)
        ]

    def _threshold(self, tier: str, atom: AtLeast | AtMost) -> Threshold:
        bound = atom.at_least if isinstance(atom, AtLeast) else atom.at_most
        name = atom.quantity
        money = as_money(bound, self.currency) if self.is_money(name) else None
        return Threshold(tier, name, bound, isinstance(atom, AtMost), money)

    @cached_property
    def asks_for_counts(self) -> bool:
        """Whether any tier or measure asks for more than balances."""
        return (
            any(isinstance(measure, Points) for measure in self.measures.values())
            or not set(self.asked) <= self.measures.keys()
        )

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {tier.tier: rank for rank, tier in enumerate(self.tiers)}

    def misses_of(self, rank: int) -> int:
        """How many assessments in a row lead down from a tier, when missed."""
        return self.tiers[rank].misses_allowed or self.misses_allowed

    def falls_to(self, rank: int, reached: int) -> int:
        """Where a fall from a tier leads, when a lower one is reached."""
        return reached if (self.tiers[rank].drop_to or self.drop_to) == "level" else rank - 1

    def rank(self, tier: str | None) -> int | None:
        """Where a tier stands among the tiers, from the lowest.

        None for one that the policy does not know.
        """
        return None if tier is None else self._ranks.get(tier)


def before(policy: TierPolicy) -> TierPolicy:
    """What there is before a scheme begins with a policy: everybody stands in the lowest tier."""
    lowest = policy.tiers[0].model_dump(mode="json")
    said = {**policy.said, "policy": "nothing", "version": 1, "scope": None, "tiers": [lowest]}
    return TierPolicy.model_validate_json(json.dumps(said))


def _too_many_ways(policy: TierPolicy) -> Iterator[str]:
    """Conditions that nobody could read, nor any program look through."""
    for number, tier in enumerate(policy.tiers):
        if tier.reach is not None and (count := count_ways(tier.reach)) > MOST_WAYS:
            yield (
                f"tiers[{number}].reach: {tier.tier} can be reached in {count} ways, and "
                f"{MOST_WAYS} is the limit"
            )


def _unknown_by_hand(policy: TierPolicy) -> Iterator[str]:
    """A limit by a tier that there is not."""
    alone = policy.by_hand.alone if policy.by_hand else None
    if alone is not None and policy.rank(alone) is None:
        names = ", ".join(tier.tier for tier in policy.tiers)
        yield f"by_hand.alone: there is no tier {alone}; there are {names}"


def _unknown(policy: TierPolicy) -> Iterator[str]:
    """What is referred to and not defined."""
    known = [*COUNTS]
    for name, measure in policy.measures.items():
        if name in known:
            yield f"measures.{name}: this name is taken by a quantity that every month has"
        if isinstance(measure, Points):
            yield from (
                f"measures.{name}.of[{number}]: there are no balances or counts {scored.quantity} "
                "before this one"
                for number, scored in enumerate(measure.of)
                if scored.quantity not in known
                or isinstance(policy.measures.get(scored.quantity), Points)
            )
        known.append(name)
    for number, tier in enumerate(policy.tiers):
        for atom in atoms(tier.reach) if tier.reach else ():
            if isinstance(atom, AtLeast | AtMost) and atom.quantity not in known:
                yield (
                    f"tiers[{number}].reach: there is no quantity {atom.quantity}; there are "
                    f"{', '.join(known)}"
                )
            if (
                isinstance(atom, OneOf)
                and atom.trait in NAMED
                and (strange := set(atom.one_of) - set(NAMED[atom.trait]))
            ):
                yield (
                    f"tiers[{number}].reach: there is no {atom.trait} "
                    f"{', '.join(sorted(strange))}; there are {', '.join(NAMED[atom.trait])}"
                )
    if policy.scope is not None and policy.scope.take == "max":
        yield from (
            f"tiers[{number}].reach: the best member is told by amounts and counts, so "
            f"{atom.trait if isinstance(atom, OneOf) else 'holdings'} cannot be asked"
            for number, tier in enumerate(policy.tiers)
            for atom in (atoms(tier.reach) if tier.reach else ())
            if isinstance(atom, Holds) or (isinstance(atom, OneOf) and atom.trait != "stage")
        )
    if policy.scope is not None and policy.applies_to == (
        "company" if policy.scope.of == "household" else "person"
    ):
        yield (
            f"scope.of: no {policy.applies_to} belongs to a {policy.scope.of}, and the policy "
            "applies to nobody else"
        )


def _undecidable(policy: TierPolicy) -> Iterator[str]:
    """Where the tiers leave no clear answer."""
    lowest, *others = policy.tiers
    if lowest.reach is not None:
        yield (
            f"tiers[0].reach: the lowest tier, {lowest.tier}, is for everybody who reaches no "
            "other, and has no condition"
        )
    names = [tier.tier for tier in policy.tiers]
    yield from (
        f"tiers: there is more than one tier {name}"
        for name in sorted(set(names))
        if names.count(name) > 1
    )
    for number, tier in enumerate(others, start=1):
        if tier.reach is None:
            yield (
                f"tiers[{number}].reach: {tier.tier} has no condition, so nobody could stand "
                "below it"
            )
        elif all(
            against := [contradiction(way) or _beyond(policy, way) for way in ways(tier.reach)]
        ):
            yield f"tiers[{number}].reach: {tier.tier} cannot be reached: {against[0]}"
        elif any(all(_always(policy, atom) for atom in way) for way in ways(tier.reach)):
            yield (
                f"tiers[{number}].reach: everybody reaches {tier.tier}, so nobody could stand "
                "below it"
            )
    for (number, lower), (_, higher) in combinations(enumerate(others, start=1), 2):
        if lower.reach and higher.reach and implies(lower.reach, higher.reach):
            yield (
                f"tiers[{number}].reach: nobody could stand in {lower.tier}, because whoever "
                f"reaches it reaches {higher.tier} too"
            )


def _limits(policy: TierPolicy, quantity: str) -> tuple[int | None, int | None]:
    """The least and the most that a quantity can be; None where there is no end.

    A balance may be below zero.
    """
    measure = policy.measures.get(quantity)
    if measure is None:
        return (1 if quantity == "tenure-months" else 0), None
    if not isinstance(measure, Points):
        return None, None
    caps = [scored.at_most for scored in measure.of]
    return 0, None if None in caps else sum(cap for cap in caps if cap is not None)


def _beyond(policy: TierPolicy, way: tuple[Atom, ...]) -> str | None:
    """Why nobody can meet all of these, by what a quantity or a kind can be at all.

    None if nothing speaks against it.
    """
    for atom in way:
        match atom:
            case AtLeast(quantity=name, at_least=bound) if (
                most := _limits(policy, name)[1]
            ) is not None and bound > most:
                return f"{name} is {most} at most"
            case AtMost(quantity=name, at_most=bound) if (
                least := _limits(policy, name)[0]
            ) is not None and bound < least:
                return f"{name} is {least} at least"
            case OneOf(trait="kind", one_of=kinds) if policy.applies_to not in ("everyone", *kinds):
                return f"the policy applies to a {policy.applies_to} only"
    return None


def _always(policy: TierPolicy, atom: Atom) -> bool:
    """Whether everybody meets this."""
    match atom:
        case AtLeast(quantity=name, at_least=bound):
            return (least := _limits(policy, name)[0]) is not None and bound <= least
        case AtMost(quantity=name, at_most=bound):
            return (most := _limits(policy, name)[1]) is not None and bound >= most
        case _:
            return False
