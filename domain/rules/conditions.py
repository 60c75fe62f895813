"""When is a tier reached?

Conditions over quantities and traits, and what is missing where they are not met.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from domain.accounts.monthly_facts import MonthlyFacts
from domain.event import Identifier, Line
from domain.rules.quantities import WRITTEN, Seen

Bound = Annotated[int, Field(ge=-(10**18), le=10**18), WithJsonSchema(WRITTEN)]
Trait = Literal["kind", "rating", "industry", "region", "stage"]


class AtLeast(BaseModel):
    """A quantity is as large as this, or larger."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    quantity: Identifier
    at_least: Bound


class AtMost(BaseModel):
    """A quantity is as small as this, or smaller."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    quantity: Identifier
    at_most: Bound


class OneOf(BaseModel):
    """A trait of the customer is one of these; one that was never stated is none of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    trait: Trait
    one_of: Annotated[tuple[Line, ...], Field(min_length=1)]


class Holds(BaseModel):
    """The customer holds one of these products."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    holds: Annotated[tuple[Identifier, ...], Field(min_length=1)]


class AllOf(BaseModel):
    """Every one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    all_of: Annotated[tuple["Condition", ...], Field(min_length=1)]


class AnyOf(BaseModel):
    """At least one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    any_of: Annotated[tuple["Condition", ...], Field(min_length=1)]


KINDS = ("at_least", "at_most", "one_of", "holds", "all_of", "any_of")
"""The word that only one kind of condition has."""


def _which(value: Any) -> str | None:
    """Which condition is meant, by the word that only it has."""
    has = (
        value.keys()
        if isinstance(value, Mapping)
        else type(value).model_fields
        if isinstance(value, BaseModel)
        else ()
    )
    return next((word for word in KINDS if word in has), None)


Condition = Annotated[
    Annotated[AtLeast, Tag("at_least")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[OneOf, Tag("one_of")]
    | Annotated[Holds, Tag("holds")]
    | Annotated[AllOf, Tag("all_of")]
    | Annotated[AnyOf, Tag("any_of")],
    Discriminator(
        _which,
        custom_error_type="condition",
        custom_error_message="a condition says at_least, at_most, one_of, holds, all_of or any_of",
    ),
]
Atom = AtLeast | AtMost | OneOf | Holds
AllOf.model_rebuild()
AnyOf.model_rebuild()


@dataclass(frozen=True)
class Gap:
    """What one part of a condition asks for, and what there is."""

    what: str
    needs: int | tuple[str, ...]
    has: int | str | tuple[str, ...] | None
    at_most: bool = False

    def __str__(self) -> str:
        """As a person would say it."""
        if isinstance(self.needs, int):
            return (
                f"{self.what} {self.has:,}, {'at most' if self.at_most else 'at least'} "
                f"{self.needs:,}"
            )
        has = ", ".join(self.has) if isinstance(self.has, tuple) else self.has
        return f"{self.what} {has or 'unknown'}, one of {', '.join(self.needs)}"


class Case(NamedTuple):
    """What a condition is asked of.

    A month's quantities, its facts, and the customer's stage of life in the bank.
    """

    seen: Seen
    facts: MonthlyFacts
    stage: str


def met(condition: "Condition", case: Case) -> bool:
    """Whether a condition holds."""
    match condition:
        case AtLeast(quantity=name, at_least=bound):
            return case.seen[name] >= bound
        case AllOf(all_of=parts):
            return all(met(part, case) for part in parts)
        case AnyOf(any_of=parts):
            return any(met(part, case) for part in parts)
        case AtMost(quantity=name, at_most=bound):
            return case.seen[name] <= bound
        case OneOf(trait=trait, one_of=wanted):
            return _trait(trait, case) in wanted
        case Holds(holds=wanted):
            return not set(wanted).isdisjoint(case.facts.traits.holdings)


def gap(atom: Atom, case: Case) -> Gap | None:
    """What is missing from one part of a condition; None if it holds."""
    return None if met(atom, case) else _asked(atom, case)


def _asked(atom: Atom, case: Case) -> Gap:
    match atom:
        case AtLeast(quantity=name, at_least=bound) | AtMost(quantity=name, at_most=bound):
            return Gap(name, bound, case.seen[name], isinstance(atom, AtMost))
        case OneOf(trait=trait, one_of=wanted):
            return Gap(trait, wanted, _trait(trait, case))
        case Holds(holds=wanted):
            return Gap("holdings", wanted, case.facts.traits.holdings)


def _trait(trait: Trait, case: Case) -> str | None:
    value: str | None = case.stage if trait == "stage" else getattr(case.facts.traits, trait)
    return value


def ways(condition: "Condition") -> list[tuple[Atom, ...]]:
    """Every way to meet a condition: alternatives, each a list of parts that must hold together."""
    match condition:
        case AnyOf(any_of=parts):
            return [way for part in parts for way in ways(part)]
        case AllOf(all_of=parts):
            return [
                tuple(atom for way in each for atom in way) for each in product(*map(ways, parts))
            ]
        case AtLeast() | AtMost() | OneOf() | Holds():
            return [(condition,)]


def missing(condition: "Condition", case: Case) -> list[tuple[Gap, ...]]:
    """What is missing, for each way to meet the condition, the way with the fewest gaps first.

    Empty if it is met.
    """
    found = [tuple(each for atom in way if (each := gap(atom, case))) for way in ways(condition)]
    return sorted(found, key=len) if all(found) else []


def held(condition: "Condition", case: Case) -> tuple[Gap, ...]:
    """What a condition asks for, and what there is, by the first way in which it is met.

    Empty if it is not.
    """
    return next(
        (
            tuple(_asked(atom, case) for atom in way)
            for way in ways(condition)
            if all(met(atom, case) for atom in way)
        ),
        (),
    )


def count_ways(condition: "Condition") -> int:
    """How many ways there are to meet a condition, without writing them down."""
    match condition:
        case AnyOf(any_of=parts):
            return sum(map(count_ways, parts))
        case AllOf(all_of=parts):
            return prod(map(count_ways, parts))
        case _:
            return 1


def atoms(condition: "Condition") -> Iterator[Atom]:
    """Every part of a condition."""
    match condition:
        case AllOf(all_of=parts) | AnyOf(any_of=parts):
            for part in parts:
                yield from atoms(part)
        case AtLeast() | AtMost() | OneOf() | Holds():
            yield condition


def implies(stronger: "Condition", weaker: "Condition") -> bool:
    """Whether whoever meets one condition is sure to meet the other, as far as their parts show."""
    return all(any(_covers(way, other) for other in ways(weaker)) for way in ways(stronger))


def contradiction(way: tuple[Atom, ...]) -> str | None:
    """Why nobody can meet all of these at once; None if nothing speaks against it."""
    for one in way:
        for other in way:
            match one, other:
                case AtLeast(quantity=name, at_least=low), AtMost(quantity=same, at_most=high) if (
                    name == same and low > high
                ):
                    return f"{name} cannot be at least {low} and at most {high}"
                case OneOf(trait=trait, one_of=these), OneOf(trait=same, one_of=those) if (
                    trait == same and set(these).isdisjoint(those)
                ):
                    return (
                        f"{trait} cannot be one of {', '.join(these)} and one of {', '.join(those)}"
                    )
    return None


def _covers(way: tuple[Atom, ...], other: tuple[Atom, ...]) -> bool:
    return all(any(_sure(atom, asked) for atom in way) for asked in other)


def _sure(given: Atom, asked: Atom) -> bool:
    match given, asked:
        case AtLeast(quantity=name, at_least=has), AtLeast(quantity=same, at_least=needs):
            return name == same and has >= needs
        case AtMost(quantity=name, at_most=has), AtMost(quantity=same, at_most=needs):
            return name == same and has <= needs
        case OneOf(trait=trait, one_of=has), OneOf(trait=same, one_of=needs):
            return trait == same and set(has) <= set(needs)
        case Holds(holds=has), Holds(holds=needs):
            return set(has) <= set(needs)
        case _:
            return False
