"""When did the bank's day end? Time is an event, so that no fold reads a clock."""

from domain.event import Interaction, PlausibleDate


class DayClosed(Interaction):
    """The bank's end of day.

    Sent once to the stream `bank`, recorded once in each shard's own stream.
    """

    concerns = ("shard", "bank")
    customer_seen = False
    date: PlausibleDate
