"""What should be offered now, and why not something else?

Decided while the customer waits; recorded behind the answer.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel
from starlette.background import BackgroundTask

from domain.event import Channel
from domain.offers.catalogue import Catalogue, Offer
from domain.offers.events import Candidate, Dropped, OfferDecided
from domain.tiering.assessment import tier_on
from projections.models.forecast import Known, foresee
from projections.models.learner import Learnt
from projections.views.customer import Customer
from projections.views.decision import Asked, decide_offer
from streams.web.api.customers import CustomerId, known_customer
from streams.web.contact_slots import reserve
from streams.web.dependencies import WebDependencies, as_json, models_of
from streams.web.recording import Recording

BATCH_DECISIONS = 256
"""Numbers of decisions that are drawn at once."""


class Treatment(BaseModel):
    """An offer to show: its name, and the words for this channel if there are any, by language."""

    offer: str
    name: dict[str, str]
    words: dict[str, str]
    mandatory: bool


class NextBestOffer(BaseModel):
    """The answer to a channel.

    The decision by its number, what to show, best first, all candidates, every drop with its
    reason.

    `by_value` says why the models had no say, if they had none. On a channel with caps the offer
    has to be shown by `present_by`.
    """

    decision: str
    customer: str
    offer: str | None
    offers: tuple[Treatment, ...]
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    arm: str
    by_value: str | None
    present_by: datetime | None
    catalogue: str
    policy: str | None


def add_offers(app: FastAPI, deps: WebDependencies, recording: Recording) -> None:
    """Add the question what to offer, and what may come."""
    numbers = _numbers()

    @app.get(
        "/v1/customers/{customer}/next-best-offer",
        summary="What to offer now, and why not something else",
        response_model=NextBestOffer,
    )
    async def next_best_offer(
        customer: CustomerId,
        request: Request,
        channel: Channel = "app",
        limit: Annotated[int, Query(ge=1, le=10, description="How many offers to show")] = 1,
        personalised: Annotated[
            bool, Query(description="False: nothing that is known of the customer ranks the offers")
        ] = True,
    ) -> Response:
        await recording.make_room()
        who = await known_customer(deps, customer, request)
        catalogue = deps.policies.catalogue
        models = await deps.lookups.models(models_of(catalogue))
        asked = Asked(
            next(numbers),
            channel,
            _now(deps),
            limit,
            personalised,
            asker=request.state.look.asker(),
        )
        stream = f"customer:{customer}"
        request.state.look.also(number for number in who.numbers if number != stream)
        decided = await _decided(deps, who, catalogue, models, asked)
        answer = as_json(_answer(catalogue, customer, decided))
        answer.background = BackgroundTask(recording.add, stream, decided, asked.now)
        return answer

    @app.get(
        "/v1/customers/{customer}/foresight",
        summary=(
            "What may come: leaving, with its reasons; wanting; the next month's balance; flows "
            "unlike the customer"
        ),
    )
    async def foresight(customer: CustomerId, request: Request) -> Response:
        who, today = await known_customer(deps, customer, request), datetime.now(deps.zone).date()
        catalogue = deps.policies.catalogue
        models, watch = await deps.lookups.models(models_of(catalogue)), catalogue.watch
        counts, known = who.on(today), Known(who.months.rows, who.experience)
        key = bool(counts.scheme) and (
            tier_on(counts.policy, counts.standing, today) in watch.tiers
        )
        return as_json(
            {
                "customer": customer,
                **vars(foresee(known, models, key, watch.churn_permille, catalogue.currency)),
            }
        )


def _now(deps: WebDependencies) -> datetime:
    """The time in the bank's zone, with its offset fixed.

    What is decided again later has no other, whatever becomes of summer time.
    """
    now = datetime.now(deps.zone)
    return now.replace(tzinfo=timezone(now.utcoffset() or timedelta()))


async def _decided(
    deps: WebDependencies,
    who: Customer,
    catalogue: Catalogue,
    models: Mapping[str, Learnt],
    asked: Asked,
) -> OfferDecided:
    """A decision whose place with the caps is held.

    Decided again where somebody else took the last one.
    """
    asks = catalogue.asks_households(asked.channel)
    households = await deps.lookups.households(who.offers.households) if asks else []
    while True:
        decided = decide_offer(who, households, catalogue, models, asked)
        reached = (
            await reserve(deps, who, households, catalogue.contact, decided, asked)
            if decided.present_by
            else None
        )
        if reached is None:
            return decided
        asked = replace(asked, full=(*asked.full, reached))


def _numbers() -> Iterator[str]:
    """Numbers for decisions that nobody can guess.

    The system is asked for many at once, because asking costs.
    """
    while True:
        drawn = os.urandom(BATCH_DECISIONS * 16)
        yield from (drawn[place : place + 16].hex() for place in range(0, len(drawn), 16))


def _answer(catalogue: Catalogue, customer: str, decided: OfferDecided) -> dict[str, object]:
    return {
        "decision": decided.decision,
        "customer": customer,
        "offer": decided.offer,
        "offers": [_treatment(catalogue.find(offer), decided.channel) for offer in decided.offers],
        "candidates": [candidate.__dict__ for candidate in decided.candidates],
        "dropped": [drop.__dict__ for drop in decided.dropped],
        "arm": decided.arm,
        "by_value": decided.by_value,
        "present_by": decided.present_by,
        "catalogue": decided.catalogue,
        "policy": decided.policy,
    }


def _treatment(offer: Offer, channel: Channel) -> dict[str, object]:
    return {
        "offer": offer.offer,
        "name": offer.name,
        "words": offer.treatments.get(channel, {}),
        "mandatory": offer.mandatory,
    }
