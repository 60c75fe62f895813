"""Which offer was made to the customer, why, what became of it, and what there is to learn from the answer."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.interaction import Channel, Currency, Identifier, Interaction, Line, Price, Stream

FeatureName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_.\-=]+$")]
FeatureValue = Annotated[int, Field(ge=-(10**12), le=10**12)]
Features = Annotated[dict[FeatureName, FeatureValue], Field(max_length=200)]
"""What was known at the time of a decision, as whole numbers; a category is `name=value` with 1."""


Stage = Literal["eligibility", "applicability", "suitability", "consent"]


class Candidate(BaseModel):
    """An offer that passed the funnel: propensity P in 0..1, value V in minor units, priority P x V."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    offer: Identifier
    propensity: Annotated[float, Field(ge=0, le=1)]
    value: Price
    priority: float
    model: Line


class Dropped(BaseModel):
    """An offer that did not pass the funnel, with the stage and the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    offer: Identifier
    stage: Stage
    reason: Line


class OfferDecided(Interaction):
    """The bank decided what to offer: candidates best first, drops with reasons, and all that it decided by."""

    decision: Identifier
    channel: Channel
    offer: Identifier | None = None
    candidates: tuple[Candidate, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    features: Features
    catalogue: Line
    policy: Line | None = None
    model_config = ConfigDict(strict=False)  # a list of candidates may come from JSON or from us


class OfferPresented(Interaction):
    """The offer was shown to the customer."""

    decision: Identifier
    offer: Identifier
    channel: Channel


class OfferAccepted(Interaction):
    """The customer said yes."""

    decision: Identifier
    offer: Identifier
    channel: Channel


class OfferDeclined(Interaction):
    """The customer said no."""

    decision: Identifier
    offer: Identifier
    channel: Channel


class OfferLapsed(Interaction):
    """The customer did not answer in time."""

    decision: Identifier
    offer: Identifier


class ExampleLabelled(Interaction):
    """An answer to an offer, beside what was known when the offer was decided: one example for its model."""

    concerns = ("model",)
    offer: Identifier
    decision: Identifier
    customer: Stream
    features: Features
    accepted: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the catalogue: value in minor units; empty tuples and None mean no restriction."""

    offer: str
    name: dict[str, str]
    value: int
    currency: Currency
    risk: Literal["R1", "R2", "R3", "R4", "R5"] | None = None
    ages: tuple[int, int] | None = None
    tiers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("person",)
    not_holding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the bank may offer, under a version that every decision names."""

    catalogue: str
    version: int
    offers: tuple[Offer, ...]

    @property
    def label(self) -> str:
        """The name a decision refers to it by."""
        return f"{self.catalogue}@{self.version}"


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the funnel knows of a customer; age in full years, grade as `C1`..`C5` while it is valid."""

    kind: str
    tier: str
    age: int | None
    grade: str | None
    holdings: frozenset[str]
    marketing_consent: bool | None
    answered: frozenset[str]


def why_not(offer: Offer, who: Applicant) -> Dropped | None:
    """The first reason not to make this offer, or None when it may be made.

    Suitability follows the Order of the National Financial Regulatory Administration 2025 No. 7: the customer's
    grade must reach the product's, and without a valid assessment no risk product is offered. A withdrawn
    consent to marketing drops everything (PIPL art. 24).

    >>> fund = Offer("balanced-fund", {"en": "Balanced fund"}, 100, "CNY", risk="R3")
    >>> careful = Applicant("person", "gold", 40, "C2", frozenset(), None, frozenset())
    >>> why_not(fund, careful).reason
    'customer grade C2 is below product grade R3'
    """
    for stage, reason in _objections(offer, who):
        if reason:
            return Dropped(offer=offer.offer, stage=stage, reason=reason)
    return None


def _objections(offer: Offer, who: Applicant) -> tuple[tuple[Stage, str | None], ...]:
    return (
        ("eligibility", _kind(offer, who) or _age(offer, who) or _tier(offer, who)),
        ("applicability", _holding(offer, who) or _answered(offer, who)),
        ("suitability", _risk(offer, who)),
        ("consent", "marketing consent was withdrawn" if who.marketing_consent is False else None),
    )


def _kind(offer: Offer, who: Applicant) -> str | None:
    return None if who.kind in offer.kinds else f"not for a {who.kind}"


def _age(offer: Offer, who: Applicant) -> str | None:
    if offer.ages is None:
        return None
    low, high = offer.ages
    if who.age is None:
        return f"age is unknown, and must be {low} to {high}"
    return None if low <= who.age <= high else f"age {who.age} is not within {low} to {high}"


def _tier(offer: Offer, who: Applicant) -> str | None:
    return None if not offer.tiers or who.tier in offer.tiers else f"not for tier {who.tier}"


def _holding(offer: Offer, who: Applicant) -> str | None:
    held = sorted(who.holdings & set(offer.not_holding))
    return f"already holds {held[0]}" if held else None


def _answered(offer: Offer, who: Applicant) -> str | None:
    return "was accepted before" if offer.offer in who.answered else None


def _risk(offer: Offer, who: Applicant) -> str | None:
    if offer.risk is None:
        return None
    if who.grade is None:
        return f"no valid risk assessment, and product grade is {offer.risk}"
    return None if who.grade[1] >= offer.risk[1] else f"customer grade {who.grade} is below product grade {offer.risk}"
