"""What do all read models together say of one customer?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.accounts.ledger import Ledger
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import Months
from projections.customers.profile import Profile
from projections.offers.responses import Offers


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
