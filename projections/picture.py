"""What do all read models together say of one customer?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.ledger import Ledger
from domain.policy import TierPolicy
from domain.tiering import Standing
from projections.months import Months
from projections.offers import Offers
from projections.profile import Profile


@dataclass(frozen=True, slots=True)
class Customer:
    """All read models of one customer, the policy that the standing is under, and the position that each group has folded for them."""

    stream: str
    profile: Profile
    ledger: Ledger
    months: Months
    standing: Standing
    offers: Offers
    policy: TierPolicy
    upto: Mapping[str, int] = field(default_factory=dict)
