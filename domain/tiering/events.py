"""Which tier was set by hand, and which changes of tier followed from what?"""

from typing import Literal

from domain.event import NOBODY, Identifier, Interaction, Line, PlausibleDate, later
from domain.tiering.policy import RETAIL, SchemeName

Ground = Literal[
    "assessment",
    "household",
    "by-hand",
    "by-hand-ended",
    "by-hand-withdrawn",
    "switch",
    "restatement",
]
"""What a tier changed by."""


class TierOverridden(Interaction):
    """Somebody entitled to it put the customer into a tier, with a reason, until a date.

    Of one `scheme`; if none is named, of each that has this tier. `proposal` is the id of what a
    first person proposed, where the rule asks for two.
    """

    senders = ("supervisor",)
    signed_by = "approver"
    customer_seen = False
    tier: Identifier
    approver: Identifier
    reason: Line
    until: PlausibleDate
    scheme: SchemeName | None = later(None)
    proposal: Identifier | None = later(None)


class TierOverrideProposed(Interaction):
    """Somebody entitled to it asks for a tier by hand that a second person has to agree to.

    Changes nothing by itself: the second sends `tier-overridden`, with the id of this.
    """

    senders = ("supervisor",)
    signed_by = "proposer"
    customer_seen = False
    tier: Identifier
    proposer: Identifier
    reason: Line
    until: PlausibleDate
    scheme: SchemeName | None = None


class TierOverrideWithdrawn(Interaction):
    """Somebody entitled to it took a tier back that was set by hand, with a reason.

    Of one `scheme`; if none is named, of each.
    """

    senders = ("supervisor",)
    signed_by = "approver"
    customer_seen = False
    approver: Identifier
    reason: Line
    scheme: SchemeName | None = None


class TierChanged(Interaction):
    """A number of a customer stands in another tier of a scheme, from a day on.

    `ground` says by what, and the event's cause is the event that did it. Told once; no fold reads
    it back. `corrects` names earlier ones that were told and would not have been, had all been
    known in time. Older releases told of switches alone.
    """

    senders = NOBODY
    customer_seen = False
    before: Identifier
    after: Identifier
    policy: Line
    effective: PlausibleDate
    scheme: SchemeName = later(RETAIL)
    ground: Ground = later("switch")
    corrects: tuple[Identifier, ...] = later(())
