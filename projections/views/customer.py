"""What do all read models together say of one customer?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from domain.accounts.ledger import Ledger
from domain.accounts.monthly_facts import MonthlyFacts, Traits
from domain.calendar import Month
from domain.customers.identity import Identity
from domain.fastcopy import changed
from domain.tiering.assessment import Standing, tier_on
from domain.tiering.policy import RETAIL, TierPolicy
from domain.tiering.precedence import Stand, Tiers, choose
from projections.accounts.months import Months
from projections.campaigns.benefits import CAMPAIGNS, Benefits
from projections.cases.complaints import CASES, Complaints, with_disputes
from projections.customers.group import CUSTOMERS
from projections.customers.life import LIFE, Life
from projections.customers.profile import Profile, traits
from projections.feedback.experience import Experience
from projections.feedback.surveys import FEEDBACK, Surveys
from projections.offers.group import REACTIONS
from projections.offers.responses import Offers


@dataclass(frozen=True, slots=True)
class Customer:
    """All read models of one customer, the policy that the standing is under, and the position that
    each group has folded for them.

    The standing is that of the first scheme, until `on` a day another one counts.
    """

    stream: str
    profile: Profile
    ledger: Ledger
    months: Months
    standing: Standing
    offers: Offers
    policy: TierPolicy
    upto: Mapping[str, int] = field(default_factory=dict)
    stands: tuple[Stand, ...] = ()
    """Where they stand in each scheme of the bank, in the order in which these count."""
    precedence: str | None = None
    """What says in which order, if anything was adopted."""
    scheme: str | None = RETAIL
    """The scheme of `standing` and `policy`; None where none counts."""
    because: tuple[str, ...] = ()
    """Why it counts, and not another."""
    complaints: Complaints = field(default_factory=Complaints)
    benefits: Benefits = field(default_factory=Benefits)
    surveys: Surveys = field(default_factory=Surveys)
    life: Life | None = None
    """None in a decision of a release that did not ask for it."""
    identity: Identity = field(default_factory=Identity)
    experience: Experience = field(default_factory=Experience)
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

    def on(self, day: date) -> "Customer":
        """The customer as the scheme has it that counts for them on a day.

        One who is covered by none stands in no tier.
        """
        if len(self.stands) < 2 and self.precedence is None:
            return self
        chosen, because = choose(Tiers(self.stands, self.precedence), self.kind, day)
        if chosen is not None:
            return self._as(chosen, because)
        return replace(self, scheme=None, standing=Standing(), because=because)

    def under(self, scheme: str) -> "Customer | None":
        """The customer as one scheme has it, if it is live; in no tier, if it does not cover
        them.
        """
        found = next((each for each in self.stands if each.scheme == scheme), None)
        if found is None or found.policy.covers(self.kind):
            return found and self._as(found, ())
        why = f"{scheme} covers no {self.kind}"
        return replace(self._as(found, (why,)), scheme=None, standing=Standing())

    def tiers(self, day: date) -> dict[str, str]:
        """The tier on a day in each scheme that covers the customer, where there are several."""
        if len(self.stands) < 2:
            return {}
        return {
            each.scheme: tier_on(each.policy, each.standing, day)
            for each in self.stands
            if each.policy.covers(self.kind)
        }

    def _as(self, stand: Stand, because: tuple[str, ...]) -> "Customer":
        return replace(
            self,
            scheme=stand.scheme,
            standing=stand.standing,
            policy=stand.policy,
            because=because,
        )

    @property
    def kind(self) -> str:
        """A person, where nothing else was ever stated."""
        return self.profile.kind or "person"

    @property
    def traits(self) -> Traits:
        """What tiering may ask beside money, as it is known now."""
        return changed(traits(self.profile), open_cases=len(self.complaints.open))


def customer_of(
    stream: str, states: Mapping[str, Any], tiers: Tiers, upto: Mapping[str, int]
) -> Customer:
    """A customer by the states of the groups, by their names without versions, and by where they
    stand.
    """
    facts, first = states[CUSTOMERS.name], tiers.stands[0]
    return Customer(
        stream=stream,
        profile=facts.profile,
        ledger=facts.ledger,
        months=facts.months,
        standing=first.standing,
        offers=states[REACTIONS.name].offers,
        complaints=states[CASES.name].complaints,
        benefits=states[CAMPAIGNS.name].benefits,
        surveys=states[FEEDBACK.name].surveys,
        life=states[LIFE.name].life if LIFE.name in states else None,
        policy=first.policy,
        upto=upto,
        identity=facts.identity,
        experience=facts.experience,
        stands=tiers.stands,
        precedence=tiers.precedence,
        scheme=first.scheme,
    )


def asked_as(number: str, numbers: Sequence[str]) -> dict[str, Any]:
    """By which number was asked, and of a person with several all of them, and which one stays."""
    if not numbers:
        return {"customer": number}
    names = [stream.removeprefix("customer:") for stream in numbers]
    return {"customer": number, "person": {"stays": names[0], "numbers": names}}
