"""What may the bank offer, to whom, and how often?

The catalogue as data, with the rules for contact, choice and proof of value.
"""

import json
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from domain.buckets import of_thousand
from domain.customers.events import Purpose
from domain.event import AssetClass, Channel, Currency, Identifier, Line, Price
from domain.offers.contact_policy import ContactPolicy
from domain.offers.events import Arm
from domain.rules.conditions import AtLeast, AtMost, Condition, atoms
from domain.rules.quantities import COUNTS, VALUES
from domain.tiering.policy import STAGES, LifeCycle, Stage

Grade = Literal["R1", "R2", "R3", "R4", "R5"]
Percent = Annotated[int, Field(ge=0, le=1000)]
Permille = Annotated[int, Field(ge=0, le=1000)]
Age = Annotated[int, Field(ge=0, le=150)]

BALANCES = tuple(f"balance-{name}" for name in get_args(AssetClass))
QUANTITIES = ("age", "balance", *BALANCES, *COUNTS)
"""What a condition of an offer may ask for.

The age in full years, balances now, and the counts of the last month that ended.
"""


FORESIGHT = "foresight/"
"""What the names of models begin with that are not an offer's."""


class Said(BaseModel):
    """What a file says: nothing beside what is known here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Risk(Said):
    """How the issuer and the seller grade a product.

    Where they differ the higher counts (Order 2025 No. 7 of the NFRA).
    """

    issuer: Grade
    seller: Grade | None = None

    @property
    def grade(self) -> Grade:
        """The grade that counts.

        >>> Risk(issuer="R2", seller="R3").grade
        'R3'
        """
        return max(self.issuer, self.seller or self.issuer)


def _issued(said: object) -> object:
    """A grade alone is that of the issuer."""
    return {"issuer": said} if isinstance(said, str) else said


class Validity(Said):
    """The days between which an offer may be made, both included."""

    since: date = date.min
    until: date = date.max


class Offer(Said):
    """One entry of the catalogue; what is left out restricts nothing.

    `value` is what an acceptance is worth, in minor units of the catalogue's currency;
    `levers_percent` is the bank's own weight. `treatments` says by channel what is shown, by
    language; an offer with any is made on those channels alone. `purpose` is what the customer's
    consent is asked for. `private` products have a cooling-off time. `seasons` are months of the
    year. An offer on a `ramp` is new: few see it at first. `answer_days` is how long an answer is
    waited for.
    """

    offer: Identifier
    name: dict[str, str]
    issue: Identifier = "general"
    group: Identifier = "general"
    kind: Literal["product", "service", "greeting", "coupon", "campaign"] = "product"
    purpose: Purpose = "marketing"
    treatments: dict[Channel, dict[str, Line]] = Field(default_factory=dict)
    value: Price
    levers_percent: Percent = 100
    mandatory: bool = False
    ramp: bool = False
    risk: Annotated[Risk, BeforeValidator(_issued, json_schema_input_type=Grade | Risk)] | None = (
        None
    )
    private: bool = False
    valid: Validity = Validity()
    ages: tuple[Age, Age] | None = None
    kinds: tuple[Literal["person", "company"], ...] = ("person",)
    regions: tuple[Line, ...] = ()
    tiers: tuple[Identifier, ...] = ()
    segments: tuple[Line, ...] = ()
    not_holding: tuple[Identifier, ...] = ()
    stages: tuple[Stage, ...] = STAGES
    seasons: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()
    again_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    eligibility: Condition | None = None
    applicability: Condition | None = None
    suitability: Condition | None = None
    answer_days: Annotated[int, Field(ge=1, le=365)] = 30

    @property
    def grade(self) -> Grade | None:
        """The risk grade that counts, if the product has any."""
        return self.risk.grade if self.risk else None

    @property
    def limited(self) -> bool:
        """Whether suitability limits it: then it is never part of an experiment."""
        return self.grade is not None or self.suitability is not None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        faults = [f"{self.offer}: {fault}" for fault in self._faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        if self.ages is not None and self.ages[0] > self.ages[1]:
            yield f"ages {self.ages[0]} to {self.ages[1]} are nobody's"
        if self.valid.since > self.valid.until:
            yield f"valid since {self.valid.since} until {self.valid.until} is never"
        for stage in ("eligibility", "applicability", "suitability"):
            condition: Condition | None = getattr(self, stage)
            asked = (
                [atom.quantity for atom in atoms(condition) if isinstance(atom, AtLeast | AtMost)]
                if condition
                else []
            )
            yield from (
                f"{stage} asks for {name}, which is none of {', '.join(QUANTITIES)}"
                for name in asked
                if name not in QUANTITIES
            )


class Weight(Said):
    """Offers of an issue weigh so much more or less on a channel: the context in the choice."""

    channel: Channel
    issue: Identifier
    percent: Percent


class Care(Said):
    """From an age on, products of high risk are offered only where somebody explains them."""

    age: Age = 65
    grade: Grade = "R4"
    channels: tuple[Channel, ...] = ("branch", "manager-visit")


class Watch(Said):
    """Key customers, by tier; they are at risk from so many permille on with which
    they may leave.
    """

    tiers: tuple[Identifier, ...] = ()
    churn_permille: Annotated[int, Field(ge=1, le=1000)] = 200


class Consent(Said):
    """Purposes that need a yes (PBOC Order 2020 No. 5).

    For the others it is enough that nobody said no.
    """

    opt_in: tuple[Purpose, ...] = ()


class Exploration(Said):
    """How much is tried out.

    To whom a new offer is shown at first, and at how many acceptances to everybody.

    Before an offer has evidence of its own it is taken to be accepted `expected_permille` of the
    time, with the weight of so many answers.
    """

    first_permille: Permille = 20
    full_at: Annotated[int, Field(ge=1, le=10**6)] = 200
    expected_permille: Annotated[int, Field(ge=1, le=999)] = 20
    weight: Annotated[int, Field(ge=1, le=10**4)] = 10
    on: bool = True


class Arms(Said):
    """How many customers of a thousand are held out, and how their offers are chosen.

    Who, follows from the name of the experiment.
    """

    experiment: Identifier = "usual"
    random: Permille = 0
    propensity: Permille = 0
    no_levers: Permille = 0
    eligible: Permille = 0

    def of(self, stream: str) -> Arm:
        """The arm of a customer: always the same one, as long as the experiment has its name.

        >>> Arms(random=1000).of("customer:7")
        'random'
        """
        place = of_thousand(f"{self.experiment}/{stream}")
        held_out: tuple[Arm, ...] = ("random", "propensity", "no-levers", "eligible")
        for arm, size in zip(
            held_out, (self.random, self.propensity, self.no_levers, self.eligible), strict=True
        ):
            if place < size:
                return arm
            place -= size
        return "usual"

    @model_validator(mode="after")
    def _not_all(self) -> Self:
        if self.random + self.propensity + self.no_levers + self.eligible > 1000:
            raise ValueError("arms: more than 1000 of a thousand customers are held out")
        return self


class Catalogue(Said):
    """What the bank may offer, and how it chooses, under a version that every decision names.

    Amounts in minor units of `currency`. Nobody younger than `least_age` is offered anything; a
    company has no age. Nor is whoever mourns: for `mourning_days` after the death of another member
    of the household was reported.
    """

    catalogue: Identifier
    version: Annotated[int, Field(ge=1)]
    currency: Currency
    offers: tuple[Offer, ...]
    contexts: tuple[Weight, ...] = ()
    contact: ContactPolicy = ContactPolicy()
    care: Care = Care()
    cooling_off_hours: Annotated[int, Field(ge=0, le=24 * 30)] = 24
    consent: Consent = Consent()
    watch: Watch = Watch()
    life_cycle: LifeCycle = LifeCycle()
    least_age: Age = 18
    mourning_days: Annotated[int, Field(ge=0, le=366)] = 0
    exploration: Exploration = Exploration()
    arms: Arms = Arms()

    @property
    def label(self) -> str:
        """The name a decision refers to it by, with the beginning of its digest."""
        return f"{self.catalogue}@{self.version}/{self.digest[:8]}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that it says beside the defaults, however its file is laid out.

        What a later release may say besides changes nothing.
        """
        return sha256(
            json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode()
        ).hexdigest()

    @property
    def said(self) -> dict[str, JsonValue]:
        """All that it says, as JSON, with the defaults of this release."""
        return self.model_dump(mode="json")

    def __hash__(self) -> int:
        """By all that it says."""
        return hash(self.digest)

    def find(self, name: str) -> Offer:
        """An offer by its name; raises `KeyError` for one that is not here."""
        return self._by_name[name]

    def context(self, channel: str, issue: str) -> int:
        """How much an issue weighs on a channel, in percent."""
        return self._weights.get((channel, issue), 100)

    def is_money(self, quantity: str) -> bool:
        """Whether a quantity that a condition asks for is an amount, and no count."""
        return quantity in {"balance", *BALANCES, *VALUES}

    def asks_households(self, channel: Channel) -> bool:
        """Whether what other members of a household met with counts on a channel."""
        capped = any(cap.of == "household" for cap in self.contact.on(channel))
        return capped or self.mourning_days > 0

    @cached_property
    def _by_name(self) -> dict[str, Offer]:
        return {offer.offer: offer for offer in self.offers}

    @cached_property
    def _weights(self) -> dict[tuple[str, str], int]:
        return {(weight.channel, weight.issue): weight.percent for weight in self.contexts}

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [offer.offer for offer in self.offers]
        reserved = [name for name in names if name.startswith(FORESIGHT)]
        if reserved:
            raise ValueError(
                "; ".join(
                    f"offer {name}: names with {FORESIGHT} are those of other models"
                    for name in reserved
                )
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError("; ".join(f"offer {name} is there twice" for name in twice))
        issues = {offer.issue for offer in self.offers}
        unknown = [weight.issue for weight in self.contexts if weight.issue not in issues]
        if unknown:
            raise ValueError(
                "; ".join(f"contexts: no offer has the issue {issue}" for issue in unknown)
            )
        return self
