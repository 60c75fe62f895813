"""What does the bank say of itself?

When its day ended: time is an event, so that no fold reads a clock. And what became of what was set
aside.
"""

from typing import Literal

from domain.event import NOBODY, Identifier, Interaction, Line, PlausibleDate, later


class DayClosed(Interaction):
    """The bank's end of day.

    Sent once to the stream `bank`, recorded once in each shard's own stream. `by` and `reason` are
    there where a person closed it.
    """

    concerns = ("shard", "bank")
    customer_seen = False
    date: PlausibleDate
    by: Identifier | None = later(None)
    reason: Line | None = later(None)


class QuarantineCleared(Interaction):
    """A person dealt with something in quarantine.

    It was sent to the front door again, as it was or mended, or let go. Said to the stream
    `quarantine:SHARD`; `entry` is the number within.
    """

    concerns = ("quarantine",)
    senders = NOBODY
    customer_seen = False
    entry: Identifier
    fate: Literal["re-driven", "mended", "discarded"]
    by: Identifier
    reason: Line
