"""Who was forgotten or restricted, on whose word? The bank's own record, which names nobody but by their number."""

from domain.event import Identifier, Interaction, Line, Stream

REGISTER = "privacy:register"
"""The stream of everybody who was."""


class SubjectForgotten(Interaction):
    """The key of somebody was destroyed: what was recorded of them is there, and nobody can read it any more."""

    concerns = ("privacy",)
    subject: Stream
    by: Identifier
    reason: Line


class SubjectRestricted(Interaction):
    """What was recorded of somebody is kept, because the law asks it, and only auditors can read it any more."""

    concerns = ("privacy",)
    subject: Stream
    by: Identifier
    reason: Line


class RestrictionLifted(Interaction):
    """What was recorded of somebody can be read and used as before."""

    concerns = ("privacy",)
    subject: Stream
    by: Identifier
    reason: Line
