"""What should be offered to this customer now? Decided from folded states, purely: the same states, the same decision."""

from collections.abc import Mapping
from datetime import date

from domain.interaction import Channel
from domain.offers import Applicant, Candidate, Catalogue, Features, Offer, OfferDecided, why_not
from domain.tiering import tier_on
from projections.features import age_on, features
from projections.model import MODEL, Model, propensity
from projections.picture import Customer


def decide_offer(
    customer: Customer,
    catalogue: Catalogue,
    models: Mapping[str, tuple[Model, int]],
    decision: str,
    channel: Channel,
    today: date,
) -> OfferDecided:
    """What to offer: the funnel, then propensity times value, best first, ties by name; with every drop and its reason."""
    seen = features(customer.profile, customer.ledger, customer.months, customer.standing, customer.offers, channel, today)
    who = applicant(customer, today)
    verdicts = [(offer, why_not(offer, who)) for offer in catalogue.offers]
    candidates = [_candidate(offer, *models[offer.offer], seen) for offer, drop in verdicts if drop is None]
    candidates.sort(key=lambda candidate: (-candidate.priority, candidate.offer))
    return OfferDecided(
        decision=decision,
        channel=channel,
        offer=candidates[0].offer if candidates else None,
        candidates=tuple(candidates),
        dropped=tuple(drop for _, drop in verdicts if drop is not None),
        features=seen,
        catalogue=catalogue.label,
        policy=customer.policy.label,
    )


def applicant(customer: Customer, today: date) -> Applicant:
    """What the funnel asks about a customer, on a day."""
    profile = customer.profile
    consent = profile.consents.get("marketing")
    valid = profile.risk is not None and profile.risk.valid_until >= today
    return Applicant(
        kind=profile.kind or "person",
        tier=tier_on(customer.policy, customer.standing, today),
        age=age_on(profile.born, today),
        grade=profile.risk.grade if profile.risk and valid else None,
        holdings=frozenset(profile.products.values()),
        marketing_consent=None if consent is None else consent.value == "granted",
        answered=frozenset(customer.offers.accepted),
    )


def _candidate(offer: Offer, model: Model, learnt_upto: int, seen: Features) -> Candidate:
    likely = propensity(model, seen)
    return Candidate(
        offer=offer.offer,
        propensity=likely,
        value=offer.value,
        priority=likely * offer.value,
        model=f"{MODEL.key}/{model.examples}/{learnt_upto}",
    )
