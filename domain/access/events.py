"""Who was forgotten or restricted, on whose word, and who looked at what is known of somebody?"""

from typing import Literal

from domain.event import NOBODY, Identifier, Interaction, Line, Role, Stream

Purpose = Literal["service", "marketing", "complaint", "supervision", "audit", "privacy-request"]
"""For what somebody looks at a person's data."""

REGISTER = "privacy:register"
"""The stream of everybody who was."""


class SubjectForgotten(Interaction):
    """The key of somebody was destroyed.

    What was recorded of them is there, and nobody can read it any more.
    """

    concerns = ("privacy",)
    senders = NOBODY
    subject: Stream
    by: Identifier
    reason: Line


class SubjectRestricted(Interaction):
    """What was recorded of somebody is kept, because the law asks it, and only auditors can read
    it any more.
    """

    concerns = ("privacy",)
    senders = NOBODY
    subject: Stream
    by: Identifier
    reason: Line


class RestrictionLifted(Interaction):
    """What was recorded of somebody can be read and used as before."""

    concerns = ("privacy",)
    senders = NOBODY
    subject: Stream
    by: Identifier
    reason: Line


class DataLookedUp(Interaction):
    """Somebody looked at what is known of a customer, household or company group.

    Who, as what, for what, and which question it was.
    """

    concerns = ("access",)
    senders = NOBODY
    who: Identifier
    role: Role
    purpose: Purpose
    what: Identifier
    about: Stream
