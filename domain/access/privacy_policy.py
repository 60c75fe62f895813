"""What is each field of what is known of somebody.

How sensitive, for what, kept for how long, and how is it shown?

The bank's privacy policy, as data. Classes are those of JR/T 0171-2020: C3 (passwords, biometrics)
is refused at the door, C2 (what identifies somebody or tells their money) is sealed and masked
where it is shown, C1 is the rest.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from domain.access.redaction import without_numbers
from domain.event import Identifier, Line

Class = Literal["C2", "C1", "public"]
Mask = Literal["first", "year", "ends", "keys", "hidden", "text", "shown"]


class Classed(NamedTuple):
    """How sensitive a field is, and how it is shown to those who need not see all of it."""

    level: Class
    mask: Mask


def _classed(said: Any) -> Any:
    """`C2 ends` in one word or two; what is not C2 is shown as it is."""
    if isinstance(said, list | tuple):  # as JSON has it
        said = " ".join(map(str, said))
    level, _, mask = str(said).partition(" ")
    if level == "C2" and not mask:
        raise ValueError("a C2 field needs a mask: first, year, ends, keys, hidden, text or shown")
    return level, mask or "shown"


ClassedField = Annotated[Classed, BeforeValidator(_classed)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Retention(_Said):
    """How long something is kept: so many years from when the customer left, by which rule."""

    years: Annotated[int, Field(ge=0, le=100)]
    because: Line


class Kind(_Said):
    """Events of a type: for what they are used, how long they are kept, and what each field is."""

    purpose: Identifier
    retention: Identifier
    fields: dict[str, ClassedField]


class Risk(_Said):
    """A risk to those whose data it is, as it was assessed.

    What may happen, to whose harm, and what is done against it.
    """

    risk: Line
    harm: Literal["low", "middle", "high"]
    against: Line


class Assessment(_Said):
    """The impact assessment (PIPL 55 and 56), to be kept three years."""

    day: date
    by: Line
    lawful: Line
    risks: tuple[Risk, ...] = Field(min_length=1)


class PrivacyPolicy(_Said):
    """The policy that the code keeps.

    Raises `ValueError` for a purpose or retention that is not in it.
    """

    policy: Identifier
    version: Annotated[int, Field(ge=1)]
    effective: date
    author: Line
    approver: Line
    purposes: dict[Identifier, dict[str, Line]]
    retention: dict[Identifier, Retention]
    refused: tuple[Identifier, ...] = Field(min_length=1)
    events: dict[str, Kind]
    read_models: dict[str, dict[str, ClassedField]]
    wherever: dict[str, ClassedField]
    assessment: Assessment

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.policy}@{self.version}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that it says."""
        return sha256(json.dumps(self.said, sort_keys=True).encode()).hexdigest()

    @property
    def said(self) -> dict[str, JsonValue]:
        """All that it says, as JSON."""
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _is_whole(self) -> "PrivacyPolicy":
        wrong = [
            f"events.{name}: no purpose {kind.purpose}"
            for name, kind in self.events.items()
            if kind.purpose not in self.purposes
        ]
        wrong += [
            f"events.{name}: no retention {kind.retention}"
            for name, kind in self.events.items()
            if kind.retention not in self.retention
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def longest(self) -> int:
        """Years after a customer left until nothing of them may be kept any more."""
        return max(kept.years for kept in self.retention.values())


def unclassed(
    policy: PrivacyPolicy,
    events: Mapping[str, Collection[str]],
    read_models: Mapping[str, Collection[str]],
) -> list[str]:
    """Fields that the policy does not class, and those that it classes and nobody has."""
    said = {f"events.{name}": kind.fields.keys() for name, kind in policy.events.items()}
    said |= {f"read_models.{name}": fields.keys() for name, fields in policy.read_models.items()}
    there = {f"events.{name}": set(fields) for name, fields in events.items()} | {
        f"read_models.{name}": set(fields) for name, fields in read_models.items()
    }
    return [*_missing(there, said, "has no class"), *_missing(said, there, "is not there")]


def completed(
    policy: PrivacyPolicy,
    events: Mapping[str, Collection[str]],
    read_models: Mapping[str, Collection[str]],
    wherever: Mapping[str, Classed],
) -> PrivacyPolicy:
    """A policy that classes every field: what it does not know, because it is older than a release,
    is hidden, and kept for as long as anything is.

    What it does not mask `wherever` it stands is masked as the release does.
    """
    policy = policy.model_copy(update={"wherever": {**wherever, **policy.wherever}})
    if not unclassed(policy, events, read_models):
        return policy
    longest = max(policy.retention, key=lambda name: policy.retention[name].years)
    new = Kind(purpose=next(iter(policy.purposes)), retention=longest, fields={})
    kinds = {name: policy.events.get(name, new) for name in {**policy.events, **events}}
    return policy.model_copy(
        update={
            "events": {
                name: kind.model_copy(
                    update={"fields": _with_hidden(kind.fields, events.get(name, ()))}
                )
                for name, kind in kinds.items()
            },
            "read_models": {
                name: _with_hidden(policy.read_models.get(name, {}), read_models.get(name, ()))
                for name in {**policy.read_models, **read_models}
            },
        }
    )


def _with_hidden(said: Mapping[str, Classed], fields: Collection[str]) -> dict[str, Classed]:
    return {**dict.fromkeys(fields, Classed("C2", "hidden")), **said}


def _missing(
    these: Mapping[str, Collection[str]], those: Mapping[str, Collection[str]], why: str
) -> Iterator[str]:
    for name, fields in these.items():
        if name not in those:
            yield f"{name} {why}"
        else:
            yield from (f"{name}.{field} {why}" for field in sorted(set(fields) - set(those[name])))


def masked(
    fields: Mapping[str, Classed], wherever: Mapping[str, Classed], state: Mapping[str, Any]
) -> dict[str, Any]:
    """A state, as JSON has it, as it is shown to those who need not see all of it.

    `wherever` masks by name at any depth.
    """
    return {
        name: _masked_within(
            wherever, _masked(fields[name].mask, value) if name in fields else value, name
        )
        for name, value in state.items()
    }


def _masked_within(wherever: Mapping[str, Classed], value: Any, name: str) -> Any:
    if name in wherever:
        return _masked(wherever[name].mask, value)
    if isinstance(value, Mapping):
        asked = value.get("what")  # of what a tier asks, the name stands beside what there is
        if isinstance(asked, str) and asked in wherever and "has" in value:
            value = {**value, "has": _masked(wherever[asked].mask, value["has"])}
        return {key: _masked_within(wherever, each, key) for key, each in value.items()}
    return (
        [_masked_within(wherever, each, "") for each in value]
        if isinstance(value, list | tuple)
        else value
    )


def _masked(mask: Mask, value: Any) -> Any:
    if mask == "shown" or value is None:
        return value
    if mask == "keys":
        return _under_ends(value)
    if isinstance(value, Mapping):
        return {
            _name(mask, name): _masked(mask, each)
            if value.keys() != FACT or name == "value"
            else each
            for name, each in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_masked(mask, each) for each in value]
    return MASKS[mask](str(value))


def _name(mask: Mask, name: str) -> str:
    """A name as it is shown: the value of a category stands in its name."""
    kind, is_category, value = name.partition("=")
    return f"{kind}={MASKS[mask](value)}" if is_category and mask == "hidden" else name


def _under_ends(states: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of each account, under the ends of its number.

    With one more star where two have the same.
    """
    shown: dict[str, Any] = {}
    for name, state in states.items():
        ends = _ends(name)
        while ends in shown:
            ends += "*"
        shown[ends] = state
    return shown


def _ends(said: str) -> str:
    """The first three characters and the last four, of what is longer than both."""
    return f"{said[:3]}{'*' * (len(said) - 7)}{said[-4:]}" if len(said) > 10 else f"{said[:1]}***"


FACT = {"value", "source", "at"}
"""What a fact of a profile has.

Trap: the names of facts themselves are chosen by who states them.
"""
MASKS: dict[Mask, Callable[[str], str]] = {
    "first": lambda said: f"{said[:1]}{'*' * max(1, len(said) - 1)}",
    "year": lambda said: f"{said[:4]}-**-**",
    "ends": _ends,
    "hidden": lambda _said: "***",
    "text": without_numbers,
}
"""How a value is shown."""
