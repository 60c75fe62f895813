"""What do all read models together say of one customer?"""

from dataclasses import dataclass

from domain.ledger import Ledger
from domain.policy import TierPolicy
from domain.tiering import Standing
from projections.months import Months
from projections.offers import Offers
from projections.profile import Profile


@dataclass(frozen=True, slots=True)
class Customer:
    """All read models of one customer, and the policy that the standing is under."""

    stream: str
    profile: Profile
    ledger: Ledger
    months: Months
    standing: Standing
    offers: Offers
    policy: TierPolicy
