"""What is an interaction? The base of every event and the vocabulary they share."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

BANK = "bank"
"""The subject of an event that concerns every shard."""
MONEY_LIMIT = 10**15
"""No single amount is larger than this many minor units (ten trillion yuan).

A sum beyond it is an error.
"""

Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.\-:/@#]+$")
]
NAME = r"[A-Za-z0-9_.\-:@#]{1,128}"
"""A name of a customer, household or company group, as a question can say it."""
STREAM = r"^[a-z]+:[A-Za-z0-9_.\-:/@#]+$"
Stream = Annotated[str, StringConstraints(max_length=200, pattern=STREAM)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Amount = Annotated[int, Field(ge=-MONEY_LIMIT, le=MONEY_LIMIT)]
Price = Annotated[int, Field(ge=0, le=MONEY_LIMIT)]
PlausibleDate = Annotated[date, Field(ge=date(1850, 1, 1), le=date(2199, 12, 31))]

Channel = Literal[
    "branch",
    "manager-visit",
    "form",
    "web",
    "app",
    "social",
    "partner",
    "credit-agency",
    "call",
    "atm",
    "core",
    "email",
    "sms",
    "push",
]
Role = Literal[
    "core",
    "channel",
    "manager",
    "supervisor",
    "tier-owner",
    "auditor",
    "privacy-officer",
    "operator",
    "modeller",
    "monitor",
]
"""As what somebody calls: a core system, or a person with a task.

A modeller hands in what models learn from, and sees nothing. A monitor reads metrics.
"""
AssetClass = Literal["deposit", "wealth", "fund", "insurance", "bond", "metal", "loan"]

NOBODY: tuple[Role, ...] = ()
"""The senders of what the bank itself decides."""
WITH_CUSTOMERS: tuple[Role, ...] = ("core", "channel", "manager")
"""The senders of what customers say and do."""


def later(default: Any) -> Any:
    """The default of a field that an event type got after events of it were written.

    As long as it says nothing it is left out of what is stored, so that an event written before,
    and sent once more now, is still the same event.
    """
    return Field(default=default, exclude_if=_is(default))


def unsaid(default: Any) -> Any:
    """The same of a field of a dataclass, where the default has a place of its own."""
    return Field(exclude_if=_is(default))


def _is(default: Any) -> Callable[[Any], bool]:
    return lambda value: bool(value == default)


class Interaction(BaseModel):
    """Anything that happened between the bank and a customer.

    Named in the past tense, never changed.

    Subclasses are the event types: the class name in kebab-case is the stable type name,
    `schema_version` counts its shapes, `concerns` lists the kinds of stream the event may be
    recorded in, `whom` names the field that has the stream of the person it is about, where that is
    not its own, `senders` the roles that may hand it in, `signed_by` the field that names the
    person who says it, and `customer_seen` whether it means that the customer was there. One that
    others are made of is a base (`is_base`). Unknown fields and loose types are errors, so that a
    misspelt field cannot be lost in silence; an error never repeats what was given, so that no
    personal data gets into a log.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )
    schema_version: ClassVar[int] = 1
    concerns: ClassVar[tuple[str, ...]] = ("customer",)
    whom: ClassVar[str | None] = None
    senders: ClassVar[tuple[Role, ...]] = ("core",)
    signed_by: ClassVar[str | None] = None
    customer_seen: ClassVar[bool] = True
    is_base: ClassVar[bool] = False


def is_own_word(event: type[Interaction]) -> bool:
    """Whether no core system may say this: people or rules decide it here.

    >>> is_own_word(Interaction)
    False
    """
    return "core" not in event.senders
