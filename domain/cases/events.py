"""What did the customer tell us: surveys, feedback, and complaints with their steps."""

from typing import Annotated, Literal

from pydantic import Field

from domain.event import Channel, Identifier, Interaction, Line, PlausibleDate, Stream, Text


class SurveyAnswered(Interaction):
    """The customer answered a survey with a score from 0 to 10."""

    survey: Identifier
    score: Annotated[int, Field(ge=0, le=10)]
    comment: Text = ""
    channel: Channel


class FeedbackGiven(Interaction):
    """The customer said something that is not a complaint."""

    text: Text
    topic: Identifier | None = None
    channel: Channel


class ComplaintOpened(Interaction):
    """The customer complained; the clock of the complaint rules starts on the business date."""

    case: Identifier
    text: Text
    about: Stream | None = None
    complexity: Literal["plain", "complex"] = "plain"
    channel: Channel


class ComplaintAssigned(Interaction):
    """Somebody, never the person complained about, took the complaint."""

    case: Identifier
    to: Stream


class ComplaintExtended(Interaction):
    """The deadline of a complex complaint moved, with an approval."""

    case: Identifier
    until: PlausibleDate
    approver: Stream


class ComplaintAnswered(Interaction):
    """The bank decided the complaint and told the customer."""

    case: Identifier
    text: Text
    upheld: bool


class ComplaintClosed(Interaction):
    """The complaint is at its end."""

    case: Identifier
    outcome: Line


class ComplaintWithdrawn(Interaction):
    """The customer took the complaint back, which ends it the same day."""

    case: Identifier
