"""What did the customer tell us that is no complaint: surveys and feedback."""

from typing import Annotated

from pydantic import Field

from domain.event import WITH_CUSTOMERS, Channel, Identifier, Interaction, Text


class SurveyAnswered(Interaction):
    """The customer answered a survey with a score from 0 to 10."""

    senders = WITH_CUSTOMERS
    survey: Identifier
    score: Annotated[int, Field(ge=0, le=10)]
    comment: Text = ""
    channel: Channel


class FeedbackGiven(Interaction):
    """The customer said something that is not a complaint."""

    senders = WITH_CUSTOMERS
    text: Text
    topic: Identifier | None = None
    channel: Channel
