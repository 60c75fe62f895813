"""May anything be offered to this customer at all?

Whether they left, died, are under a guardian or are blocked: each as it was stated last, by its own
time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.customers.events import (
    CustomerBlocked,
    CustomerLeft,
    CustomerOnboarded,
    CustomerUnblocked,
    DeathReported,
    DeathReportWithdrawn,
    GuardianAppointed,
    GuardianshipEnded,
)
from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.fastcopy import changed
from projections.projection import Group, Projection


class Stated(NamedTuple):
    """Whether something is so, by what was stated last, and when that was."""

    so: bool
    at: datetime


@dataclass(frozen=True)
class Life:
    """What is stated of a customer as a whole; None where nothing ever was."""

    died: Stated | None = None
    left: Stated | None = None
    blocked: Stated | None = None
    guardian: Stated | None = None

    @property
    def barred(self) -> str | None:
        """Why nothing may be offered to them; None if nothing is stated against it."""
        for stated, reason in (
            (self.died, "the customer has died"),
            (self.left, "the customer has left"),
            (self.blocked, "the customer is blocked"),
            (self.guardian, "the customer is under a guardian"),
        ):
            if stated is not None and stated.so:
                return reason
        return None


def evolve(life: Life, event: Recorded) -> Life:
    """What is stated of a customer after one more event."""
    match event.data:
        case DeathReported() | DeathReportWithdrawn() as said:
            return changed(life, died=_last(life.died, event, so=isinstance(said, DeathReported)))
        case CustomerLeft() | CustomerOnboarded() as said:
            return changed(life, left=_last(life.left, event, so=isinstance(said, CustomerLeft)))
        case CustomerBlocked() | CustomerUnblocked() as said:
            so = isinstance(said, CustomerBlocked)
            return changed(life, blocked=_last(life.blocked, event, so=so))
        case GuardianAppointed() | GuardianshipEnded() as said:
            so = isinstance(said, GuardianAppointed)
            return changed(life, guardian=_last(life.guardian, event, so=so))
        case _:
            return life


def _last(known: Stated | None, event: Recorded, *, so: bool) -> Stated:
    """The statement made last is the one in use, of two at once the one that bars.

    None is newer than the moment in which the bank heard of it.
    """
    new = Stated(so, min(event.occurred_at, event.recorded_at))
    if known is None or new.at > known.at:
        return new
    return Stated(known.so or so, known.at) if new.at == known.at else known


class States(NamedTuple):
    """What is stated of a customer as a whole."""

    life: Life


def _evolve_all(states: States, event: Recorded) -> States:
    return States(evolve(states.life, event))


LIFE_OF = Projection("life", 1, Life(), evolve)
LIFE = Group(
    "life@1",
    ("customer",),
    States,
    (LIFE_OF,),
    _evolve_all,
    type_keys(
        DeathReported,
        DeathReportWithdrawn,
        CustomerLeft,
        CustomerOnboarded,
        CustomerBlocked,
        CustomerUnblocked,
        GuardianAppointed,
        GuardianshipEnded,
    ),
)
