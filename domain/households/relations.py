"""To whom does this customer belong: household, company group, relationship manager."""

from typing import Annotated

from pydantic import Field, StringConstraints

from domain.event import Identifier, Interaction, Line, Stream, Text

Household = Annotated[str, StringConstraints(max_length=200, pattern=r"^household:[A-Za-z0-9_.\-:/@#]+$")]
CompanyGroup = Annotated[str, StringConstraints(max_length=200, pattern=r"^company:[A-Za-z0-9_.\-:/@#]+$")]


class HouseholdJoined(Interaction):
    """The customer belongs to a household, with a share of it in permille."""

    household: Household
    role: Identifier
    share_permille: Annotated[int, Field(ge=0, le=1000)] = 1000


class HouseholdLeft(Interaction):
    """The customer no longer belongs to a household."""

    household: Household


class CompanyGroupJoined(Interaction):
    """The company belongs to a group, owned to a share in permille."""

    group: CompanyGroup
    share_permille: Annotated[int, Field(ge=0, le=1000)] = 1000


class CompanyGroupLeft(Interaction):
    """The company no longer belongs to a group."""

    group: CompanyGroup


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
