"""What do all read models together say of one customer?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.accounts.ledger import Ledger
from domain.accounts.monthly_facts import MonthlyFacts, Traits
from domain.calendar import Month
from domain.fastcopy import changed
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import Months
from projections.campaigns.benefits import Benefits
from projections.cases.complaints import Complaints, with_disputes
from projections.customers.profile import Profile, traits
from projections.feedback.surveys import Surveys
from projections.offers.responses import Offers


@dataclass(frozen=True, slots=True)
class Customer:
    """All read models of one customer, the policy that the standing is under, and the position that
    each group has folded for them.
    """

    stream: str
    profile: Profile
    ledger: Ledger
    months: Months
    standing: Standing
    offers: Offers
    policy: TierPolicy
    upto: Mapping[str, int] = field(default_factory=dict)
    complaints: Complaints = field(default_factory=Complaints)
    benefits: Benefits = field(default_factory=Benefits)
    surveys: Surveys = field(default_factory=Surveys)

    @property
    def rows(self) -> Mapping[Month, MonthlyFacts]:
        """The months, each with how many complaints were open at its end."""
        return with_disputes(self.months.rows, self.complaints)

    @property
    def traits(self) -> Traits:
        """What tiering may ask beside money, as it is known now."""
        return changed(traits(self.profile), open_cases=len(self.complaints.open))
