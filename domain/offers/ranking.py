"""Which of the offers that may be made comes first?

Priority P x C x V x L, mandatory ones before all others, ties by name.
"""

from collections.abc import Iterable
from hashlib import sha256

from domain.event import Channel
from domain.offers.catalogue import Catalogue, Offer
from domain.offers.events import Arm, Candidate

CHANCE: tuple[Arm, ...] = ("random", "eligible")
"""The arms in which chance alone decides."""


def priority(propensity: float, context_percent: int, value: int, levers_percent: int) -> float:
    """What an offer is expected to be worth.

    Propensity x context x value x levers, in minor units (Pega's published arbitration).

    >>> priority(0.02, 150, 30000, 100)
    900.0
    """
    return propensity * (context_percent * value * levers_percent) / 10_000


def weights(catalogue: Catalogue, offer: Offer, channel: Channel, arm: Arm) -> tuple[int, int, int]:
    """Context, value and levers of an offer, as a customer's arm counts them."""
    if arm == "propensity":
        return 100, 1, 100
    return (
        catalogue.context(channel, offer.issue),
        offer.value,
        100 if arm == "no-levers" else offer.levers_percent,
    )


def ranked(
    candidates: Iterable[Candidate], catalogue: Catalogue, arm: Arm, seed: str
) -> tuple[Candidate, ...]:
    """Candidates, the one to make first first.

    By lot, which the seed draws, where an arm of the experiment says so.
    """

    def place(candidate: Candidate) -> tuple[tuple[bool, bool], str, float, str]:
        offer = catalogue.find(candidate.offer)
        by_lot = arm in CHANCE and not offer.limited
        return (
            standing_of(offer, arm),
            lot(seed, offer.offer) if by_lot else "",
            -candidate.priority,
            offer.offer,
        )

    return tuple(sorted(candidates, key=place))


def standing_of(offer: Offer, arm: Arm) -> tuple[bool, bool]:
    """What comes before any weighing: mandatory offers first.

    And where lots are drawn, what suitability limits last, because it is no part of it.
    """
    return not offer.mandatory, arm in CHANCE and offer.limited


def lot(seed: str, offer: str) -> str:
    """The lot of an offer: the lowest comes first."""
    return sha256(f"{seed}/{offer}".encode()).hexdigest()
