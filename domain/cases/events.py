"""What did the customer complain of? Complaints with their steps."""

from typing import Literal

from domain.event import (
    WITH_CUSTOMERS,
    Channel,
    Identifier,
    Interaction,
    Line,
    PlausibleDate,
    Stream,
    Text,
)


class ComplaintOpened(Interaction):
    """The customer complained; the clock of the complaint rules starts on the business date."""

    senders = WITH_CUSTOMERS
    case: Identifier
    text: Text
    about: Stream | None = None
    complexity: Literal["plain", "complex"] = "plain"
    channel: Channel


class ComplaintAssigned(Interaction):
    """Somebody, never the person complained about, took the complaint."""

    senders = ("core", "supervisor")
    customer_seen = False
    case: Identifier
    to: Stream


class ComplaintExtended(Interaction):
    """The deadline of a complex complaint moved, with an approval."""

    senders = ("core", "supervisor")
    signed_by = "approver"
    customer_seen = False
    case: Identifier
    until: PlausibleDate
    approver: Stream


class ComplaintAnswered(Interaction):
    """The bank decided the complaint and told the customer."""

    senders = ("core", "supervisor")
    customer_seen = False
    case: Identifier
    text: Text
    upheld: bool


class ComplaintClosed(Interaction):
    """The complaint is at its end."""

    senders = ("core", "supervisor")
    customer_seen = False
    case: Identifier
    outcome: Line


class ComplaintWithdrawn(Interaction):
    """The customer took the complaint back, which ends it the same day."""

    senders = WITH_CUSTOMERS
    case: Identifier
