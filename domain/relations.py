"""To whom does this customer belong: household, company group, relationship manager."""

from typing import Annotated

from pydantic import Field

from domain.interaction import Identifier, Interaction, Line, Stream, Text


class HouseholdJoined(Interaction):
    """The customer belongs to a household, with a share of it in permille."""

    household: Stream
    role: Identifier
    share_permille: Annotated[int, Field(ge=0, le=1000)] = 1000


class HouseholdLeft(Interaction):
    """The customer no longer belongs to a household."""

    household: Stream


class CompanyGroupJoined(Interaction):
    """The company belongs to a group, owned to a share in permille."""

    group: Stream
    share_permille: Annotated[int, Field(ge=0, le=1000)] = 1000


class CompanyGroupLeft(Interaction):
    """The company no longer belongs to a group."""

    group: Stream


class ManagerAssigned(Interaction):
    """A relationship manager now looks after the customer."""

    manager: Stream


class ManagerVisited(Interaction):
    """A relationship manager met the customer."""

    manager: Stream
    purpose: Line
    outcome: Text = ""


class TrainingCompleted(Interaction):
    """A relationship manager completed a course."""

    concerns = ("manager",)
    course: Identifier
    score: Annotated[int, Field(ge=0, le=100)]
