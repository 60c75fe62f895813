"""May this offer be made to this customer, now, on this channel?

The first reason not to, stage by stage.
"""

from collections.abc import Iterator
from functools import lru_cache

from domain.buckets import of_thousand
from domain.offers.applicant import Asking
from domain.offers.catalogue import Catalogue, Exploration, Offer
from domain.offers.events import Dropped, Stage
from domain.offers.rules import FUNNEL

LONGEST = 300
"""Characters of a reason."""


class Funnel:
    """The objections of a catalogue: for each offer those that can be raised at all."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._objections = {
            offer.offer: tuple(
                (stage, objection) for stage, applies, objection in FUNNEL if applies(offer)
            )
            for offer in catalogue.offers
        }

    def why_not(self, offer: Offer, asking: Asking) -> Dropped | None:
        """The first reason not to make this offer, or None when it may be made.

        Suitability follows the Order of the National Financial Regulatory Administration 2025 No.
        7: the customer's grade must reach the product's, without a valid assessment no risk product
        is offered, and high risk is not offered to the elderly where nobody explains it. Consent is
        asked per purpose and channel (PIPL art. 24, PBOC Order 2020 No. 5).
        """
        for stage, objection in self._objections[offer.offer]:
            if (reason := objection(offer, asking)) is not None:
                return _dropped(offer.offer, stage, reason)
        return None

    def reasons(self, offer: Offer, asking: Asking) -> Iterator[Dropped]:
        """Every reason not to make this offer, in the order of the funnel."""
        for stage, objection in self._objections[offer.offer]:
            if (reason := objection(offer, asking)) is not None:
                yield _dropped(offer.offer, stage, reason)


@lru_cache(maxsize=4096)
def _dropped(offer: str, stage: Stage, reason: str) -> Dropped:
    """The same words are said of many customers: made once."""
    return Dropped(offer=offer, stage=stage, reason=reason[:LONGEST])


@lru_cache(maxsize=16)
def funnel_of(catalogue: Catalogue) -> Funnel:
    """The funnel of a catalogue."""
    return Funnel(catalogue)


def in_audience(rules: Exploration, offer: str, stream: str, accepted: float) -> bool:
    """Whether a customer belongs to those who see an offer that was accepted so many times.

    Few at first, all in the end.

    The published practice: 2 % of the audience for a new action, growing to 100 % at 200 positives.

    >>> in_audience(Exploration(), "fund", "customer:7", accepted=200)
    True
    """
    share = rules.first_permille + (1000 - rules.first_permille) * min(accepted / rules.full_at, 1)
    return of_thousand(f"{offer}/{stream}") < share
