"""When did the bank's day end? Time is an event, so that no fold reads a clock."""

from domain.event import Identifier, Interaction, Line, PlausibleDate, later


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
