"""What should be offered to this customer now?

Decided from folded states, purely: the same states, the same decision.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.event import Channel
from domain.offers.applicant import Applicant, Asking, Consented
from domain.offers.catalogue import BALANCES, Catalogue, Offer
from domain.offers.events import Arm, Asker, Candidate, Dropped, OfferDecided
from domain.offers.funnel import funnel_of, in_audience
from domain.offers.ranking import CHANCE, priority, ranked, standing_of, weights
from domain.rules.conditions import Case
from domain.rules.quantities import counts_in
from domain.tiering.assessment import tier_on
from projections.models.learner import Learnt
from projections.models.propensity import Shared, shared
from projections.offers.exploration import draw, probability
from projections.offers.responses import Offers
from projections.views.customer import Customer
from projections.views.features import age_on, features

MEDIA = {"sms": "phone", "call": "phone", "email": "email", "social": "wechat"}
"""By outbound channel, the medium of the address that it needs; a push goes to the app."""
PERSONAL = ("profiling", "financial-marketing")
"""The purposes without which nothing that is known of a customer ranks their offers."""
NOT_PERSONALISED = "asked for without personalisation"
UNREADABLE = "a model cannot be read"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a channel asks.

    The decision's number, when (aware, in the bank's zone), how many offers, and whether the
    customer's data may rank them.

    `full` has the numbers of caps that somebody else has just used up.
    """

    decision: str
    channel: Channel
    now: datetime
    limit: int = 1
    personalised: bool = True
    full: tuple[int, ...] = ()
    asker: Asker | None = None


class Household(NamedTuple):
    """The contacts of a household, and the position up to which they are folded."""

    name: str
    offers: Offers
    upto: int


def decide_offer(
    customer: Customer,
    households: Iterable[Household],
    catalogue: Catalogue,
    models: Mapping[str, Learnt],
    asked: Asked,
    *,
    apart: bool = False,
) -> OfferDecided:
    """What to offer: funnel, propensity, exploration, arbitration; with every drop and its reason.

    Whoever does not want to be profiled (PIPL art. 24), or where a model cannot be read, gets the
    same funnel, and what passes it ranked by value alone. The probability of the first is left to
    `with_probability`, because nobody who waits for an answer needs it. Each offer draws `apart`
    from the others where catalogues are compared: one more offer then changes no other's draw.
    """
    households, customer = tuple(households), customer.on(asked.now.date())
    who = applicant(customer, [household.offers for household in households], catalogue, asked)
    asking = Asking(catalogue, who, asked.channel, asked.full)
    unasked = _impersonal(asking, asked)
    arm: Arm = "usual" if unasked else catalogue.arms.of(customer.stream)
    passed, dropped = _sifted(asking, arm)
    positions = {f"model:{offer.offer}": models[offer.offer].upto for offer in passed}
    broken = {offer.offer: why for offer in passed if (why := models[offer.offer].broken)}
    by_value = unasked or (UNREADABLE if broken else None)
    if broken and arm == "eligible":
        passed, dropped = _sifted(asking, "usual")
    seen = {} if unasked else features(customer, asked.channel, asked.now.date())
    new = [offer for offer in passed if offer.ramp and offer.offer not in broken]
    late = [
        offer
        for offer in new
        if not in_audience(
            catalogue.exploration, offer.offer, who.stream, models[offer.offer].accepted
        )
    ]
    passed = [offer for offer in passed if offer not in late]
    dropped += [
        Dropped(offer=offer.offer, stage="exploration", reason="new, and shown to few so far")
        for offer in late
    ]
    weigh = _Weighing(
        catalogue,
        asked,
        "usual" if by_value else arm,
        None if by_value else shared(seen),
        None if apart else Random(asked.decision),  # noqa: S311
    )
    candidates = ranked(
        (weigh.candidate(offer, models[offer.offer]) for offer in passed),
        catalogue,
        weigh.arm,
        asked.decision,
    )
    shown = candidates[: asked.limit]
    # trap: checked where it comes in; checked here too, it would cost a tenth of a decision
    return OfferDecided.model_construct(
        decision=asked.decision,
        channel=asked.channel,
        offer=shown[0].offer if shown else None,
        offers=tuple(candidate.offer for candidate in shown),
        candidates=candidates,
        dropped=tuple(dropped),
        features=seen,
        catalogue=catalogue.label,
        policy=customer.policy.label if customer.scheme else None,
        precedence=customer.precedence,
        limit=asked.limit,
        arm=weigh.arm,
        personalised=asked.personalised,
        by_value=by_value,
        broken=broken,
        upto={
            **customer.upto,
            **{household.name: household.upto for household in households},
            **positions,
        },
        full=asked.full,
        present_by=asked.now + timedelta(minutes=catalogue.contact.present_minutes)
        if shown and catalogue.contact.on(asked.channel)
        else None,
        answer_by=asked.now.date()
        + timedelta(days=max(catalogue.find(each.offer).answer_days for each in shown))
        if shown
        else None,
        asked=asked.asker,
    )


def with_probability(decided: OfferDecided, catalogue: Catalogue) -> OfferDecided:
    """The decision, in full, with how likely its first offer was to come first; as stored,
    where it is.
    """
    if not decided.candidates or decided.probability is not None:
        return decided
    first, *others = decided.candidates
    rank = standing_of(catalogue.find(first.offer), decided.arm)
    rivals = [
        other for other in others if standing_of(catalogue.find(other.offer), decided.arm) == rank
    ]
    by_lot = decided.arm in CHANCE and not catalogue.find(first.offer).limited
    return decided.model_copy(
        update={
            "probability": 1 / (1 + len(rivals))
            if by_lot
            else probability(first, rivals, decided.arm)
        }
    )


def applicant(
    customer: Customer, households: Iterable[Offers], catalogue: Catalogue, asked: Asked
) -> Applicant:
    """What the funnel asks about a customer, at a moment."""
    profile, today, households = customer.profile, asked.now.date(), tuple(households)
    facts = (
        customer.rows[max(customer.months.rows)] if customer.months.rows else MonthlyFacts("", 0)
    )
    stage, age = catalogue.life_cycle.stage(facts), age_on(profile.born, today)
    region, segment = profile.facts.get("region"), profile.facts.get("segment")
    return Applicant(
        stream=customer.stream,
        kind=profile.kind or "person",
        tier=tier_on(customer.policy, customer.standing, today) if customer.scheme else None,
        now=asked.now,
        today=today,
        age=age,
        region=region.value if region else None,
        segment=segment.value if segment else None,
        stage=stage,
        grade=profile.risk.grade if profile.risk else None,
        graded_until=profile.risk.valid_until if profile.risk else None,
        holdings=frozenset(profile.products.values()),
        consents={
            key: Consented(fact.value == "granted", fact.at)
            for key, fact in profile.consents.items()
        },
        accepted=customer.offers.accepted_at,
        contacts=customer.offers.contacts,
        household=tuple(offers.contacts for offers in households),
        case=partial(_case, customer, facts, stage, age, catalogue.currency),
        barred=_barred(customer, age, catalogue) or _mourns(households, today, catalogue),
        unreachable=_unreachable(customer),
    )


def _barred(customer: Customer, age: int | None, catalogue: Catalogue) -> str | None:
    """Why nothing at all is offered to a customer; None too where a decision did not ask it."""
    if customer.life is None:
        return None
    if customer.life.barred is not None:
        return customer.life.barred
    if age is not None and age < catalogue.least_age and customer.profile.kind != "company":
        return f"age {age} is below {catalogue.least_age}"
    return None


def _mourns(households: Iterable[Offers], today: date, catalogue: Catalogue) -> str | None:
    """Why whoever lost a member of the household is left alone; None if nobody died of late."""
    until = timedelta(catalogue.mourning_days)
    mourned = (
        death.so and timedelta() <= today - death.day < until
        for offers in households
        for death in offers.deaths.values()
    )
    return "a member of the household has died" if any(mourned) else None


def _unreachable(customer: Customer) -> frozenset[str]:
    """The channels for which no address of a customer is known."""
    if not customer.is_asked_whole:
        return frozenset()
    known = customer.profile.contacts
    return frozenset(channel for channel, medium in MEDIA.items() if medium not in known)


def _case(
    customer: Customer, facts: MonthlyFacts, stage: str, age: int | None, currency: str
) -> Case:
    balances = dict.fromkeys(BALANCES, 0)
    for account in customer.ledger.accounts.values():
        counts = not account.closed or customer.is_asked_whole  # money on it counts for the tier
        if account.currency == currency and counts:
            balances[f"balance-{account.asset_class}"] += account.balance
    now = replace(facts, traits=customer.traits)
    seen = {**counts_in(now, currency), **balances, "balance": sum(balances.values())}
    return Case(seen if age is None else {**seen, "age": age}, now, stage)


def _sifted(asking: Asking, arm: Arm) -> tuple[list[Offer], list[Dropped]]:
    """What passes the funnel, and what does not.

    Where all that is eligible is held out, what is not applicable passes too.
    """
    funnel, passed, dropped = funnel_of(asking.catalogue), list[Offer](), list[Dropped]()
    for offer in asking.catalogue.offers:
        drop = funnel.why_not(offer, asking)
        if (
            drop is not None
            and arm == "eligible"
            and drop.stage == "applicability"
            and not offer.limited
        ):
            drop = next(
                (each for each in funnel.reasons(offer, asking) if each.stage != "applicability"),
                None,
            )
        if drop is None:
            passed.append(offer)
        else:
            dropped.append(drop)
    return passed, dropped


def _impersonal(asking: Asking, asked: Asked) -> str | None:
    """Why nothing that is known of the customer may rank their offers; None if it may."""
    if not asked.personalised:
        return NOT_PERSONALISED
    return next(
        (f"no consent to {purpose}" for purpose in PERSONAL if not asking.agreed(purpose)), None
    )


class _Weighing(NamedTuple):
    """How candidates are weighed: `seen` is None where the models have no say.

    `chance` draws one after the other, by the decision's number; where there is none, each offer
    draws by its own name too.
    """

    catalogue: Catalogue
    asked: Asked
    arm: Arm
    seen: Shared | None
    chance: Random | None

    def candidate(self, offer: Offer, learnt: Learnt) -> Candidate:
        rules = self.catalogue.exploration
        likely, score, answers = rules.expected_permille / 1000, None, 0.0
        if self.seen is not None and learnt.ready is not None:
            said, score, answers = learnt.ready.propensity(self.seen)
            likely = (likely * rules.weight + said * answers) / (rules.weight + answers)
        explored = (
            self.seen is not None and rules.on and not offer.limited and self.arm not in CHANCE
        )
        drawn = draw(self._chance(offer), likely, answers + rules.weight) if explored else None
        context, value, levers = weights(self.catalogue, offer, self.asked.channel, self.arm)
        return Candidate(
            offer.offer,
            likely,
            offer.value,
            priority(likely if drawn is None else drawn, context, value, levers),
            learnt.label,
            score,
            answers + rules.weight,
            drawn,
            context,
            levers,
        )

    def _chance(self, offer: Offer) -> Random:
        return self.chance or Random(f"{self.asked.decision}/{offer.offer}")  # noqa: S311
