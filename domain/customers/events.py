"""Who is this customer: identity, contacts, consent, risk and rating, each fact with its source."""

from typing import Annotated, Literal

from pydantic import Field

from domain.customers.identity import Link
from domain.event import (
    NOBODY,
    WITH_CUSTOMERS,
    Channel,
    Identifier,
    Interaction,
    Line,
    PlausibleDate,
    Stream,
    later,
)
from domain.households.membership import Memberships

MOST_TOLD = 1_000
"""Links in one event."""

RiskGrade = Literal["C1", "C2", "C3", "C4", "C5"]
Gender = Literal["female", "male", "unstated"]
Purpose = Literal["service", "marketing", "profiling", "third-party", "financial-marketing"]


class CustomerOnboarded(Interaction):
    """A person or company became a customer."""

    kind: Literal["person", "company"] = "person"
    name: Line | None = None
    born: PlausibleDate | None = None
    gender: Gender = "unstated"
    region: Line | None = None
    industry: Line | None = None
    source: Channel


class CustomerLeft(Interaction):
    """The last contract ended: from here on counts how long the bank must keep what it knows."""

    source: Channel


class DeathReported(Interaction):
    """The customer died: by a register, an heir or a court."""

    customer_seen = False
    senders = ("core", "manager")
    source: Channel
    died: PlausibleDate | None = None


class DeathReportWithdrawn(Interaction):
    """The report of a death was wrong."""

    customer_seen = False
    source: Channel


class CustomerBlocked(Interaction):
    """The bank makes no offers to the customer: an investigation, a claim, a court."""

    customer_seen = False
    source: Channel
    reason: Line


class CustomerUnblocked(Interaction):
    """The bank may make offers to the customer again."""

    customer_seen = False
    source: Channel
    reason: Line


class GuardianAppointed(Interaction):
    """Somebody else decides for the customer, by law or by a court."""

    customer_seen = False
    senders = ("core", "manager")
    source: Channel
    guardian: Line | None = None


class GuardianshipEnded(Interaction):
    """The customer decides alone again."""

    customer_seen = False
    source: Channel


class ProfileFactStated(Interaction):
    """Somebody stated a basic fact about the customer.

    The newest statement of a fact is the one in use.
    """

    senders = ("core", "manager")
    fact: Identifier
    value: Line
    source: Channel


class ContactStated(Interaction):
    """The customer can be reached at this address over this medium."""

    senders = ("core", "manager")
    medium: Literal["phone", "email", "post", "wechat"]
    value: Line
    source: Channel


class ContactWithdrawn(Interaction):
    """The customer can no longer be reached over this medium."""

    senders = ("core", "manager")
    medium: Literal["phone", "email", "post", "wechat"]
    source: Channel


class PreferenceStated(Interaction):
    """The customer prefers something: a language, a channel, a time of day."""

    senders = WITH_CUSTOMERS
    topic: Identifier
    value: Line
    source: Channel


class ConsentGranted(Interaction):
    """The customer allowed the use of their data for one purpose, on one channel or on
    all of them.
    """

    senders = WITH_CUSTOMERS
    purpose: Purpose
    source: Channel
    channel: Channel | None = later(None)


class ConsentWithdrawn(Interaction):
    """The customer no longer allows the use of their data for one purpose, on one channel or on
    all of them.
    """

    senders = WITH_CUSTOMERS
    purpose: Purpose
    source: Channel
    channel: Channel | None = later(None)


class RiskProfileAssessed(Interaction):
    """A suitability assessment graded the customer's capacity for risk, until a date."""

    grade: RiskGrade
    valid_until: PlausibleDate
    source: Channel


class CreditRated(Interaction):
    """An agency or the bank itself rated the customer's credit."""

    customer_seen = False
    rating: Identifier
    agency: Line
    source: Channel


class ServiceUsed(Interaction):
    """The customer used a service of the bank."""

    senders = WITH_CUSTOMERS
    service: Identifier
    channel: Channel


class ChannelVisited(Interaction):
    """The customer came by: opened the app, entered a branch, called."""

    senders = WITH_CUSTOMERS
    channel: Channel
    topic: Line | None = None


class IdentitiesMerged(Interaction):
    """Two numbers turned out to be one person's: `other` was merged into this one, which stays."""

    customer_seen = False
    senders = ("core", "supervisor")
    signed_by = "by"
    other: Stream
    reason: Line
    by: Identifier | None = later(None)


class IdentitiesUnmerged(Interaction):
    """A merge was wrong: from its time on these are two again."""

    customer_seen = False
    senders = ("core", "supervisor")
    signed_by = "by"
    other: Stream
    reason: Line
    by: Identifier | None = later(None)


class IdentityTold(Interaction):
    """Another number tells what it learnt of links; or, as the same person's, where it belongs."""

    senders = NOBODY
    customer_seen = False
    number: Stream
    links: Annotated[tuple[Link, ...], Field(max_length=MOST_TOLD)]
    memberships: Memberships | None = later(None)
