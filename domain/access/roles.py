"""Who may look at what is known of somebody, who may say what of them, and what is written down of
every look?

Checked three times over: the role may do such a thing at all (function), with this customer
(object), and say or see this much of them (property).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from domain.access.events import DataLookedUp, Purpose
from domain.envelope import Proposed
from domain.event import Role

ROLES: tuple[Role, ...] = get_args(Role)
MACHINES: tuple[Role, ...] = ("core", "channel", "modeller", "monitor")
"""Roles of systems alone; all others may be a person's."""
PEOPLE: tuple[Role, ...] = tuple(role for role in ROLES if role not in MACHINES)
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


@dataclass(frozen=True)
class Caller:
    """Who asks, as a token says it.

    A person or a system, their roles, the one customer that a channel asks for, and the sources
    under which they may hand in events, if the token names them.
    """

    who: str
    roles: tuple[Role, ...]
    customer: str | None = None
    sources: tuple[str, ...] | None = None

    @property
    def manager(self) -> str:
        """The stream of the relationship manager that this is, if it is one."""
        return f"manager:{self.who}"


def reaches(caller: Caller, role: Role, stream: str, managers: Collection[str] = ()) -> bool:
    """Whether a caller in a role may have to do with a customer, whom these managers look after."""
    if role == "channel":
        return stream.startswith("customer:") and caller.customer in {
            ANYBODY,
            stream.removeprefix("customer:"),
        }
    return role != "manager" or caller.manager in managers


def may_send(caller: Caller, role: Role, event: Proposed, managers: Collection[str] = ()) -> bool:
    """Whether a caller in a role may hand in an event, about a customer whom these managers
    look after.
    """
    said = event.data
    if role not in said.senders or not reaches(caller, role, event.stream, managers):
        return False
    return (
        role == "core"
        or said.signed_by is None
        or getattr(said, said.signed_by) in {caller.who, caller.manager}
    )


def may_name(caller: Caller, role: Role, source: str) -> bool:
    """Whether a caller in a role may hand in events of a source.

    One whose token names sources: these, and what is below them. Others their own name and what is
    below it; a core system without them any, because its sources are many.

    >>> may_name(Caller("mobile", ("channel",)), "channel", "mobile/ios")
    True
    >>> may_name(Caller("mobile", ("channel",)), "channel", "core")
    False
    """
    own = caller.sources
    if own is None and role != "core":
        own = (caller.who,)
    return own is None or any(source == name or source.startswith(f"{name}/") for name in own)


def access_stream(about: str) -> str:
    """The stream that holds who looked at what is known of somebody.

    >>> access_stream("customer:100000")
    'access:customer:100000'
    """
    return f"access:{about}"


def looked(name: str, said: DataLookedUp, now: datetime) -> Proposed:
    """A look on its way to the access journal; `now` is in the bank's zone."""
    return Proposed(ACCESSES, name, access_stream(said.about), now, now.date(), said)
