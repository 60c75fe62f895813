"""What can be believed when it arrives?

Days that are plausible against the day of arrival, ends of day that follow one another, currencies
that exist, rates in bounds: as data. What is not believed is set aside with its reason.
"""

import json
import re
from datetime import date, timedelta
from hashlib import sha256
from typing import Annotated, NamedTuple
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from domain.accounts.currencies import CODES
from domain.accounts.events import ExchangeRateFixed
from domain.bank.events import DayClosed
from domain.customers.events import IdentitiesMerged, IdentitiesUnmerged
from domain.envelope import Proposed
from domain.event import NAME, STREAM, Currency, Identifier, Interaction
from domain.event_types import type_name
from domain.households.events import COMPANY_GROUP, HOUSEHOLD

Days = Annotated[int, Field(ge=0, le=150_000)]
Worth = Annotated[int, Field(ge=1, le=10**12)]


Fields = Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=5)]
LONGEST_NAME = 200
"""Letters of an event's id."""
NAMING = {STREAM, COMPANY_GROUP, HOUSEHOLD}
SURELY = 100
"""Letters below which no name is too long."""
ASKED = ("customer:", "household:", "company:")
ASKABLE = re.compile(rf"[a-z]+:{NAME}")
UNASKABLE = "no question can name this: use 1 to 128 letters, digits and _ . - : @ #"


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Doubt(NamedTuple):
    """Why something is not believed, and in which field."""

    reason: str
    field: str


class Span(_Said):
    """How many days a business date may lie before and behind the day of arrival."""

    days_back: Days
    days_ahead: Days


class ArrivalPolicy(_Said):
    """The bank's bounds for what arrives.

    `base` is its own currency, `dates` the bounds of each type of event and `otherwise` those of
    all others. Two ends of day lie at most `longest_step` days apart. One minor unit of a foreign
    currency is worth at most `dearest` minor units of the bank's own, and one of the bank's own at
    most as many of the foreign one. `business_keys` has, by source and type of event, the fields
    by which the source itself knows what it tells: an event of it is named by these.
    """

    policy: Identifier
    version: Annotated[int, Field(ge=1)]
    base: Currency
    otherwise: Span
    dates: dict[Identifier, Span]
    longest_step: Annotated[int, Field(ge=1, le=366)]
    dearest: Worth
    business_keys: dict[str, dict[Identifier, Fields]] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.policy}@{self.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says."""
        return sha256(json.dumps(self.said, sort_keys=True).encode()).hexdigest()

    @property
    def said(self) -> dict[str, JsonValue]:
        """All that it says, as JSON."""
        return self.model_dump(mode="json")

    def bounds(self, event: type[Interaction], today: date) -> "Bounds":
        """What holds for events of a type that arrive `today`."""
        span = self.dates.get(type_name(event), self.otherwise)
        return Bounds(
            today - timedelta(span.days_back),
            today + timedelta(span.days_ahead),
            _streams(event),
            tuple(name for name in ("currency", "base") if name in event.model_fields),
        )

    def named(self, event: Proposed) -> Proposed:
        """An event under the name by which its source knows what it tells, if it has one.

        So what is told once more under another id is nothing new. Two names are never the same: a
        slash within a field is escaped.
        """
        if not (keys := self.business_keys.get(event.source)):
            return event
        kind = type_name(type(event.data))
        if not (fields := keys.get(kind)):
            return event
        said = [quote(str(getattr(event.data, field)), safe="") for field in fields]
        name = "/".join((kind, *said))
        if len(name) > LONGEST_NAME:
            name = f"{kind}/{sha256(name.encode()).hexdigest()}"
        return event._replace(id=name)

    def doubt(self, event: Proposed, bounds: "Bounds", closed: date | None) -> Doubt | None:
        """Why an event is not believed within its bounds, where the day `closed` was the last that
        ended; None if it is.
        """
        match event.data:
            case DayClosed(date=day):
                more = self._of_step(day, closed)
            case ExchangeRateFixed():
                more = self._of_rate(event.data)
            case IdentitiesMerged(other=other) | IdentitiesUnmerged(other=other):
                more = _of_identities(event.stream, other)
            case _:
                more = None
        return bounds.doubt(event) or more

    def _of_step(self, day: date, closed: date | None) -> Doubt | None:
        if closed is None or (day - closed).days <= self.longest_step:
            return None
        return Doubt(
            f"the last day that closed is {closed}, and {self.longest_step} days are the longest "
            "step: close the days between, or let a person close this one (`tierfold close-day`)",
            "data.date",
        )

    def _of_rate(self, said: ExchangeRateFixed) -> Doubt | None:
        if said.base != self.base:
            return Doubt(f"the bank's own currency is {self.base}", "data.base")
        if said.currency == self.base:
            return Doubt("the bank's own currency has no rate", "data.currency")
        if (
            said.numerator > self.dearest * said.denominator
            or said.denominator > self.dearest * said.numerator
        ):
            return Doubt(f"no rate is beyond {self.dearest} to 1", "data.numerator")
        return None


class Bounds(NamedTuple):
    """The first and the last business date of a type of event, and its fields that name a stream or
    a currency.
    """

    earliest: date
    latest: date
    streams: tuple[str, ...]
    currencies: tuple[str, ...]

    def doubt(self, event: Proposed) -> Doubt | None:
        """Why an event is out of these bounds."""
        day, latest, said = event.business_date, self.latest, event.data
        if not self.earliest <= day <= latest:
            return Doubt(
                f"the business date must be from {self.earliest} to {latest}", "businessdate"
            )
        if event.occurred_at.date() > latest and event.occurred_at.date() > latest + timedelta(1):
            return Doubt(f"the time must not be behind {latest + timedelta(1)}", "time")
        if not _can_be_asked(event.stream):
            return Doubt(UNASKABLE, "subject")
        for name in self.streams:
            if not _can_be_asked(getattr(said, name)):
                return Doubt(UNASKABLE, f"data.{name}")
        for name in self.currencies:
            if getattr(said, name) not in CODES:
                return Doubt("it is no currency of ISO 4217", f"data.{name}")
        return None


def _of_identities(stream: str, other: str) -> Doubt | None:
    """A number is one person's with another number, and not with itself or with what is none."""
    if other == stream:
        return Doubt("a number is not merged with itself", "data.other")
    if not other.startswith("customer:"):
        return Doubt("a customer is merged with a customer alone", "data.other")
    return None


def _can_be_asked(stream: str) -> bool:
    """Whether a question can name it; only customers, households and company groups are asked
    about.
    """
    return (len(stream) < SURELY and "/" not in stream) or (
        not stream.startswith(ASKED) or ASKABLE.fullmatch(stream) is not None
    )


def _streams(event: type[Interaction]) -> tuple[str, ...]:
    """The fields of an event that name a stream."""
    patterns = {
        name: next((each.pattern for each in field.metadata if hasattr(each, "pattern")), None)
        for name, field in event.model_fields.items()
    }
    return tuple(name for name, pattern in patterns.items() if pattern in NAMING)
