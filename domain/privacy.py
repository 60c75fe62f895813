"""Who was forgotten, on whose word? The bank's own record, which names nobody but by their number."""

from domain.interaction import Identifier, Interaction, Line, Stream

REGISTER = "privacy:register"
"""The stream of everybody who was forgotten."""


class SubjectForgotten(Interaction):
    """The key of somebody was destroyed: what was recorded of them is there, and nobody can read it any more."""

    concerns = ("privacy",)
    subject: Stream
    by: Identifier
    reason: Line
