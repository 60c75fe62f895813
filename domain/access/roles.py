"""Who may look at what is known of somebody, who may say what of them, and what is written down of every look?

Checked three times over: the role may do such a thing at all (function), with this customer (object), and say or see this much
of them (property).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from domain.envelope import Proposed
from domain.event import Identifier, Interaction, Stream

Role = Literal["core", "channel", "manager", "supervisor", "tier-owner", "auditor", "privacy-officer", "operator"]
Purpose = Literal["service", "marketing", "complaint", "supervision", "audit", "privacy-request"]
ROLES: tuple[Role, ...] = get_args(Role)
ACCESSES = "tierfold/access"
"""The source of looks."""
ANYBODY = "*"
"""The customer of a channel that asks for whoever is in front of it."""
PURPOSES: dict[Role, tuple[Purpose, ...]] = {
    "channel": ("service", "marketing", "complaint"),
    "manager": ("service", "marketing", "complaint"),
    "supervisor": ("supervision", "complaint"),
    "auditor": ("audit",),
    "privacy-officer": ("privacy-request",),
}
"""For what each role may look at somebody's data. The first is meant where none is stated."""
STATES_PURPOSE: tuple[Role, ...] = ("channel",)
"""Roles that must say for what."""
UNMASKED: tuple[Role, ...] = ("auditor", "privacy-officer")
"""Roles that see names, numbers and addresses as they are."""

TOLD_BY_CUSTOMERS = frozenset(
    [
        *("offer-presented", "offer-accepted", "offer-declined", "channel-visited", "service-used", "coupon-redeemed"),
        *("consent-granted", "consent-withdrawn", "preference-stated", "feedback-given", "survey-answered", "complaint-opened", "complaint-withdrawn"),
    ]
)
SAYS: dict[Role, frozenset[str]] = {
    "channel": TOLD_BY_CUSTOMERS,
    "manager": TOLD_BY_CUSTOMERS | {"manager-visited", "profile-fact-stated", "contact-stated", "contact-withdrawn", "event-attended"},
    "supervisor": frozenset(["tier-overridden", "manager-assigned", "complaint-assigned", "complaint-extended", "complaint-answered", "complaint-closed"]),
}
"""The types of event that each role may hand in; core systems hand in all but what is the bank's own word."""
OWN_WORD = frozenset(
    [
        *("offer-decided", "offer-lapsed", "member-contacted", "example-labelled", "model-drifted", "catalogue-adopted", "tier-overridden", "tier-changed"),
        *("version-adopted", "version-proposed", "version-approved", "version-promoted", "version-rolled-back", "version-announced", "version-withdrawn"),
        *("membership-changed", "member-month-reported", "shard-month-reported", "month-reported", "whole-month-closed"),
        *("subject-forgotten", "subject-restricted", "restriction-lifted", "data-looked-up"),
    ]
)
"""What no core system says: it is decided here, by people or by rules."""
SIGNED_BY = {"manager-visited": "manager", "tier-overridden": "approver", "complaint-extended": "approver"}
"""The field that names who says it: nobody says it for somebody else."""


class DataLookedUp(Interaction):
    """Somebody looked at what is known of a customer, household or company group: who, as what, for what, and which question it was."""

    concerns = ("access",)
    who: Identifier
    role: Role
    purpose: Purpose
    what: Identifier
    about: Stream


@dataclass(frozen=True)
class Caller:
    """Who asks, as a token says it: a person or a system, their roles, and the one customer that a channel asks for."""

    who: str
    roles: tuple[Role, ...]
    customer: str | None = None

    @property
    def manager(self) -> str:
        """The stream of the relationship manager that this is, if it is one."""
        return f"manager:{self.who}"


def reaches(caller: Caller, role: Role, stream: str, manager: str | None) -> bool:
    """Whether a caller in a role may have to do with a customer, whom this manager looks after."""
    if role == "channel":
        return stream.startswith("customer:") and caller.customer in {ANYBODY, stream.removeprefix("customer:")}
    return role != "manager" or manager == caller.manager


def may_say(caller: Caller, role: Role, event: Proposed, name: str, manager: str | None) -> bool:
    """Whether a caller in a role may hand in an event of this name, about a customer whom this manager looks after."""
    if role == "core":
        return name not in OWN_WORD
    if name not in SAYS.get(role, ()) or not reaches(caller, role, event.stream, manager):
        return False
    field = SIGNED_BY.get(name)
    return field is None or getattr(event.data, field) in {caller.who, caller.manager}


def access_stream(about: str) -> str:
    """The stream that holds who looked at what is known of somebody.

    >>> access_stream("customer:100000")
    'access:customer:100000'
    """
    return f"access:{about}"


def looked(name: str, said: DataLookedUp, now: datetime) -> Proposed:
    """A look on its way to the access journal; `now` is in the bank's zone."""
    return Proposed(ACCESSES, name, access_stream(said.about), now, now.date(), said)
