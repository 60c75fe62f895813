"""Who looks after this customer: relationship managers, their visits and their training."""

from typing import Annotated

from pydantic import Field

from domain.event import NOBODY, Identifier, Interaction, Line, Stream, Text


class ManagerAssigned(Interaction):
    """A relationship manager now looks after the customer."""

    senders = ("core", "supervisor")
    customer_seen = False
    manager: Stream


class CareChanged(Interaction):
    """A customer is looked after by this manager from now on, or no longer.

    By the customer's event of this `version`: of several words that of the latest holds.
    """

    concerns = ("manager",)
    whom = "customer"
    senders = NOBODY
    customer_seen = False
    customer: Stream
    cares: bool
    version: Annotated[int, Field(ge=1)]


class ManagerVisited(Interaction):
    """A relationship manager met the customer."""

    senders = ("core", "manager")
    signed_by = "manager"
    manager: Stream
    purpose: Line
    outcome: Text = ""


class TrainingCompleted(Interaction):
    """A relationship manager completed a course."""

    concerns = ("manager",)
    course: Identifier
    score: Annotated[int, Field(ge=0, le=100)]
