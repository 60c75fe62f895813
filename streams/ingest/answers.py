"""Is this the answer to a decision of ours?

What is said of a decision is held to it: made for this customer, and of an offer that was shown.
Decisions of other systems, which have numbers of another form, are theirs to know.
"""

import re
from collections.abc import Container, Iterable

from domain.envelope import Proposed
from domain.offers.events import (
    DECISIONS,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferPresented,
)
from streams.journal import Rejected, Shard, source_key

Answer = OfferPresented | OfferAccepted | OfferDeclined
OURS = re.compile(r"[0-9a-f]{32}")
"""The number of a decision of ours."""
UNKNOWN = Rejected("no such decision is recorded", "data.decision")
"""A decision is recorded a moment after it is told: who asks again may find it."""


def doubt_of_answer(event: Proposed, own: Shard, shards: Iterable[Shard]) -> Rejected | None:
    """Why an event is no answer to what was decided; None if it is one, or none at all.

    `own` is the shard of the customer, `shards` are those that may have somebody else's decision.
    """
    said = event.data
    if not isinstance(said, Answer) or not OURS.fullmatch(said.decision):
        return None
    key = source_key(DECISIONS, said.decision)
    # trap: it may be recorded here while the others are asked
    found = (shard.known([key]).get(key) for shard in (own, *shards))
    there = next(filter(None, found), None)
    if there is None:
        return UNKNOWN
    if there.stream != event.stream:
        return Rejected("this decision was made for another customer", "data.decision")
    for decided in own.history(there.stream, there.version - 1, 1):
        if isinstance(decided.data, OfferDecided) and said.offer not in _shown(decided.data):
            return Rejected("this decision did not show it", "data.offer")
    return None


def _shown(decided: OfferDecided) -> Container[str | None]:
    """The offers of a decision; older releases stored the first alone."""
    return decided.offers or (decided.offer,)
