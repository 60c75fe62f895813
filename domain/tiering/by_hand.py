"""May this person set this tier by hand?

As the rule says: up to which tier one person may alone, and for how long; above that, a second
person says the same.
"""

from datetime import date
from typing import NamedTuple

from domain.access.four_eyes import same_person
from domain.tiering.events import TierOverridden, TierOverrideProposed
from domain.tiering.policy import TierPolicy


class Doubt(NamedTuple):
    """Why not, and which field says so."""

    reason: str
    field: str


def doubt_of_length(
    policy: TierPolicy, said: TierOverridden | TierOverrideProposed, today: date
) -> Doubt | None:
    """Why a tier set by hand ends too late under a rule; None if it does not."""
    limit = policy.by_hand
    if limit is None or (said.until - today).days <= limit.longest_days:
        return None
    return Doubt(
        f"{policy.label} lets a tier set by hand last {limit.longest_days} days at most", "until"
    )


def needs_second(policy: TierPolicy, said: TierOverridden) -> bool:
    """Whether a rule asks for a second person to set a tier by hand; also one that it does not
    know, and another version may.
    """
    if policy.by_hand is None:
        return False
    rank, alone = policy.rank(said.tier), policy.rank(policy.by_hand.alone)
    return rank is None or alone is None or rank > alone


def doubt_of_second(said: TierOverridden, proposed: TierOverrideProposed | None) -> Doubt | None:
    """Why what was proposed does not make a tier that of two persons; None if it does."""
    if said.proposal is None:
        return Doubt(
            f"{said.tier} needs a second person: let one send tier-override-proposed, and another "
            "this, with the id of that as `proposal`",
            "proposal",
        )
    if proposed is None:
        return Doubt("nothing was proposed for this customer under this id", "proposal")
    if same_person(proposed.proposer, said.approver):
        return Doubt("whoever proposed it cannot be the second person", "approver")
    if (proposed.tier, proposed.until, proposed.scheme) != (said.tier, said.until, said.scheme):
        return Doubt("what was proposed has another tier, end or scheme", "proposal")
    return None
