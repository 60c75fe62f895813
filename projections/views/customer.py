"""What do all read models together say of one customer?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.accounts.ledger import Ledger
from domain.accounts.monthly_facts import MonthlyFacts, Traits
from domain.calendar import Month
from domain.customers.identity import Identity
from domain.fastcopy import changed
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import Months
from projections.campaigns.benefits import CAMPAIGNS, Benefits
from projections.cases.complaints import CASES, Complaints, with_disputes
from projections.customers.group import CUSTOMERS
from projections.customers.life import LIFE, Life
from projections.customers.profile import Profile, traits
from projections.feedback.surveys import FEEDBACK, Surveys
from projections.offers.group import REACTIONS
from projections.offers.responses import Offers
from projections.tiering.standing import STANDINGS


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
    life: Life | None = None
    """None in a decision of a release that did not ask for it."""
    identity: Identity = field(default_factory=Identity)
    numbers: tuple[str, ...] = ()
    """All numbers of a person who has several, the one that stays first."""
    looked_after_by: frozenset[str] = frozenset()
    """The managers of all these numbers."""

    @property
    def is_asked_whole(self) -> bool:
        """Whether what bars the whole customer is asked; decisions of older releases did not."""
        return self.life is not None

    @property
    def managers(self) -> frozenset[str]:
        """The relationship managers of the person, by any number."""
        own = self.profile.manager
        return self.looked_after_by or (frozenset({own}) if own else frozenset())

    @property
    def rows(self) -> Mapping[Month, MonthlyFacts]:
        """The months, each with how many complaints were open at its end."""
        return with_disputes(self.months.rows, self.complaints)

    @property
    def traits(self) -> Traits:
        """What tiering may ask beside money, as it is known now."""
        return changed(traits(self.profile), open_cases=len(self.complaints.open))


def customer_of(
    stream: str, states: Mapping[str, Any], policy: TierPolicy, upto: Mapping[str, int]
) -> Customer:
    """A customer by the states of the groups, by their names without versions."""
    facts = states[CUSTOMERS.name]
    return Customer(
        stream=stream,
        profile=facts.profile,
        ledger=facts.ledger,
        months=facts.months,
        standing=states[STANDINGS].standing,
        offers=states[REACTIONS.name].offers,
        complaints=states[CASES.name].complaints,
        benefits=states[CAMPAIGNS.name].benefits,
        surveys=states[FEEDBACK.name].surveys,
        life=states[LIFE.name].life if LIFE.name in states else None,
        policy=policy,
        upto=upto,
        identity=facts.identity,
    )


def asked_as(number: str, numbers: Sequence[str]) -> dict[str, Any]:
    """By which number was asked, and of a person with several all of them, and which one stays."""
    if not numbers:
        return {"customer": number}
    names = [stream.removeprefix("customer:") for stream in numbers]
    return {"customer": number, "person": {"stays": names[0], "numbers": names}}
