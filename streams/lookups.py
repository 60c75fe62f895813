"""What do the read models say about one customer, and what should be offered next? Read, then decided at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from domain.interaction import Channel
from domain.ledger import Ledger
from domain.offers import Applicant, Candidate, Catalogue, Features, Offer, OfferDecided, why_not
from domain.tiering import Standing, TierPolicy, tier_on
from projections.features import age_on, features
from projections.model import MODEL, MODELS, Model, propensity
from projections.months import Months
from projections.offers import REACTIONS, Offers
from projections.profile import Profile
from projections.projection import Group
from projections.store import Place, Store
from streams.folding import decoded
from streams.routing import shard_of


@dataclass(frozen=True, slots=True)
class Customer:
    """All read models of one customer."""

    stream: str
    profile: Profile
    ledger: Ledger
    months: Months
    standing: Standing
    offers: Offers


class Lookups:
    """Reads from a store, at any time, whatever the agents are doing."""

    def __init__(self, store: Store, customers: Group, shards: int) -> None:
        self._store = store
        self._customers = customers
        self._shards = shards
        self._models: dict[str, tuple[bytes, Model]] = {}

    async def customer(self, name: str) -> Customer | None:
        """The customer with this number, or None if nothing was ever recorded of them."""
        stream = f"customer:{name}"
        place = Place(shard_of(stream, self._shards), self._customers.name)
        parts = (*self._customers.parts, *REACTIONS.parts)
        found = await self._store.load(place, [(part.key, stream) for part in parts])
        if not any(found):
            return None
        count = len(self._customers.parts)
        return Customer(stream, *decoded(self._customers, found[:count]), *decoded(REACTIONS, found[count:]))

    async def models(self, offers: Sequence[Offer]) -> dict[str, tuple[Model, int]]:
        """The present model of each offer, with the position that it has learnt up to."""
        present: dict[str, tuple[Model, int]] = {}
        for offer in offers:
            stream = f"model:{offer.offer}"
            place = Place(shard_of(stream, self._shards), MODELS.name)
            [kept] = await self._store.load(place, [(MODEL.key, stream)])
            present[offer.offer] = (self._model(offer.offer, kept.state), kept.upto) if kept else (MODEL.initial, 0)
        return present

    def _model(self, offer: str, state: bytes) -> Model:
        known = self._models.get(offer)
        if known is None or known[0] != state:
            known = self._models[offer] = (state, MODEL.decode(state))
        return known[1]


def decide_offer(
    customer: Customer,
    policy: TierPolicy,
    catalogue: Catalogue,
    models: Mapping[str, tuple[Model, int]],
    decision: str,
    channel: Channel,
    today: date,
) -> OfferDecided:
    """What to offer: the funnel, then propensity times value, best first, ties by name; with every drop and its reason."""
    seen = features(customer.profile, customer.ledger, customer.months, customer.standing, customer.offers, channel, today)
    who = applicant(customer, policy, today)
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
        policy=policy.label,
    )


def applicant(customer: Customer, policy: TierPolicy, today: date) -> Applicant:
    """What the funnel asks about a customer, on a day."""
    profile = customer.profile
    valid = profile.risk is not None and profile.risk.valid_until >= today
    return Applicant(
        kind=profile.kind or "person",
        tier=tier_on(policy, customer.standing, today),
        age=age_on(profile.born, today),
        grade=profile.risk.grade if profile.risk and valid else None,
        holdings=frozenset(profile.products.values()),
        marketing_consent=profile.consents.get("marketing"),
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
