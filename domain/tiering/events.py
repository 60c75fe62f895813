"""Which tier was set by hand, and who was told of another one?"""

from domain.event import NOBODY, Identifier, Interaction, Line, PlausibleDate, later
from domain.tiering.policy import RETAIL, SchemeName


class TierOverridden(Interaction):
    """Somebody entitled to it put the customer into a tier, with a reason, until a date.

    Of one `scheme`; if none is named, of each that has this tier.
    """

    senders = ("supervisor",)
    signed_by = "approver"
    customer_seen = False
    tier: Identifier
    approver: Identifier
    reason: Line
    until: PlausibleDate
    scheme: SchemeName | None = later(None)


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
    scheme: SchemeName = later(RETAIL)
