"""Which decisions wait for an answer, and which offers were answered how?"""

from dataclasses import dataclass, field
from datetime import datetime

from domain.catalogue import topic_of
from domain.change import changed
from domain.offers import ExampleLabelled, Features, OfferAccepted, OfferDecided, OfferDeclined, OfferLapsed
from domain.recorded import Proposed, Recorded, following
from projections.projection import Group, Projection, States

KEPT = 20
"""Open decisions kept for one customer; an answer to an older one teaches nothing."""

Answer = OfferAccepted | OfferDeclined | OfferLapsed


@dataclass(frozen=True)
class Open:
    """A decision that waits for its answer: what was known then, and when."""

    features: Features
    at: datetime


@dataclass(frozen=True)
class Offers:
    """The open decisions by `decision/offer`, and how often each offer was accepted or not."""

    open: dict[str, Open] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    declined: dict[str, int] = field(default_factory=dict)


def evolve(offers: Offers, event: Recorded) -> Offers:
    """The offers of a customer after one more event."""
    match event.data:
        case OfferDecided(decision=decision, offer=str(offer), features=features):
            waiting = {**offers.open, f"{decision}/{offer}": Open(features, event.occurred_at)}
            return changed(offers, open=_newest(waiting))
        case OfferAccepted(offer=offer) as answer:
            return changed(_answered(offers, answer), accepted={**offers.accepted, offer: offers.accepted.get(offer, 0) + 1})
        case OfferDeclined(offer=offer) | OfferLapsed(offer=offer) as answer:
            return changed(_answered(offers, answer), declined={**offers.declined, offer: offers.declined.get(offer, 0) + 1})
        case _:
            return offers


def react(stream: str, before: States, after: States, event: Recorded) -> tuple[Proposed, ...]:
    """An answer to an open decision is an example for the offer's model, named after the answer that caused it."""
    del after  # the answer has closed the decision
    match event.data:
        case OfferAccepted() | OfferDeclined() | OfferLapsed() as answer if _key(answer) in before[0].open:
            example = ExampleLabelled(
                offer=answer.offer,
                decision=answer.decision,
                customer=stream,
                features=before[0].open[_key(answer)].features,
                accepted=isinstance(answer, OfferAccepted),
            )
            return (following(event, "example", f"model:{answer.offer}", example),)
        case _:
            return ()


def _newest(waiting: dict[str, Open]) -> dict[str, Open]:
    """The latest decisions, as many as are kept; by time and name, because the order of a dict is not kept with it."""
    if len(waiting) <= KEPT:
        return waiting
    oldest = min(waiting, key=lambda key: (waiting[key].at, key))
    return {key: each for key, each in waiting.items() if key != oldest}


def _answered(offers: Offers, answer: Answer) -> Offers:
    return changed(offers, open={key: value for key, value in offers.open.items() if key != _key(answer)})


def _key(answer: Answer) -> str:
    return f"{answer.decision}/{answer.offer}"


TOPICS = frozenset(topic_of(event) for event in (OfferDecided, OfferAccepted, OfferDeclined, OfferLapsed))
OFFERS = Projection("offers", 1, Offers(), evolve)


def _evolve_all(states: States, event: Recorded) -> States:
    return (evolve(states[0], event),)


REACTIONS = Group("reactions@1", ("customer",), (OFFERS,), _evolve_all, TOPICS, react=react)
