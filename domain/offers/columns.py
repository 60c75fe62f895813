"""How is a decision stored, and read in full again?

What follows from the catalogue is not repeated: what is stored has two thirds of the bytes, and is
read in two thirds of the time.
"""

from collections.abc import Iterable, Sequence

from domain.offers.catalogue import Catalogue
from domain.offers.events import Candidate, Dropped, Drops, OfferDecided, Rivals, Stage
from domain.offers.ranking import priority, weights

LAST: Stage = "exploration"
"""The stage whose drops come behind all others."""


def in_columns(decided: OfferDecided) -> OfferDecided:
    """A decision as it is stored: in full what is shown, in columns what is not."""
    shown, others = (
        decided.candidates[: len(decided.offers)],
        decided.candidates[len(decided.offers) :],
    )
    return decided.model_copy(
        update={
            "candidates": shown,
            "rivals": _rivals(others) if others else None,
            "dropped": (),
            "drops": _grouped(decided.dropped),
        }
    )


def is_in_columns(decided: OfferDecided) -> bool:
    """Whether a stored decision is in columns; older releases stored it in full, and its
    probability.
    """
    shown = len(decided.candidates) <= len(decided.offers)
    return shown and not decided.dropped and decided.probability is None


def in_full(decided: OfferDecided, catalogue: Catalogue) -> OfferDecided:
    """A decision as it was made, by the catalogue that it names; one of an older release as it is.

    Raises `KeyError` for an offer that the catalogue does not have.
    """
    return decided.model_copy(
        update={
            "candidates": (*decided.candidates, *_candidates(decided, catalogue)),
            "rivals": None,
            "dropped": (*decided.dropped, *_dropped(decided, catalogue)),
            "drops": (),
        }
    )


def _rivals(others: Sequence[Candidate]) -> Rivals:
    return Rivals.model_construct(
        offer=tuple(each.offer for each in others),
        propensity=tuple(each.propensity for each in others),
        model=tuple(each.model for each in others),
        score=tuple(each.score for each in others),
        evidence=tuple(each.evidence for each in others),
        drawn=tuple(each.drawn for each in others),
    )


def _candidates(decided: OfferDecided, catalogue: Catalogue) -> Iterable[Candidate]:
    columns = decided.rivals
    if columns is None:
        return
    for name, propensity, model, score, evidence, drawn in zip(
        columns.offer,
        columns.propensity,
        columns.model,
        columns.score,
        columns.evidence,
        columns.drawn,
        strict=True,
    ):
        offer = catalogue.find(name)
        context, value, levers = weights(catalogue, offer, decided.channel, decided.arm)
        yield Candidate(
            name,
            propensity,
            offer.value,
            priority(propensity if drawn is None else drawn, context, value, levers),
            model,
            score,
            evidence,
            drawn,
            context,
            levers,
        )


def _grouped(dropped: Iterable[Dropped]) -> tuple[Drops, ...]:
    found: dict[tuple[Stage, str], list[str]] = {}
    for drop in dropped:
        found.setdefault((drop.stage, drop.reason), []).append(drop.offer)
    return tuple(
        Drops.model_construct(stage=stage, reason=reason, offers=tuple(offers))
        for (stage, reason), offers in found.items()
    )


def _dropped(decided: OfferDecided, catalogue: Catalogue) -> Iterable[Dropped]:
    places = {offer.offer: place for place, offer in enumerate(catalogue.offers)}
    return sorted(
        (
            Dropped(offer=offer, stage=drops.stage, reason=drops.reason)
            for drops in decided.drops
            for offer in drops.offers
        ),
        key=lambda drop: (drop.stage == LAST, places[drop.offer]),
    )
