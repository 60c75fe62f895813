"""Which tier was set by hand, and who was told of another one?"""

from domain.event import NOBODY, Identifier, Interaction, Line, PlausibleDate


class TierOverridden(Interaction):
    """Somebody entitled to it put the customer into a tier, with a reason, until a date."""

    senders = ("supervisor",)
    signed_by = "approver"
    customer_seen = False
    tier: Identifier
    approver: Identifier
    reason: Line
    until: PlausibleDate


class TierChanged(Interaction):
    """The customer was told of another tier; a record of what was said, which no fold
    reads back.
    """

    senders = NOBODY
    customer_seen = False
    before: Identifier
    after: Identifier
    policy: Line
    effective: PlausibleDate
