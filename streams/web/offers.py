"""What should be offered now, and why not something else? Decided while the customer waits; recorded behind the answer."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Annotated

from fastapi import FastAPI, Query, Response
from pydantic import BaseModel
from starlette.background import BackgroundTask

from domain.contacts import taken
from domain.interaction import Channel
from domain.offering import Catalogue, Offer
from domain.offers import CATALOGUES, DECISIONS, Candidate, CatalogueAdopted, Dropped, OfferDecided
from domain.recorded import Proposed
from domain.tiering import tier_on
from projections.deciding import Asked, Household, decide_offer, with_probability
from projections.foresight import foresee
from projections.model import Learnt
from projections.offers import REACTIONS
from projections.picture import Customer
from projections.redis import Room
from projections.store import Place
from streams.cloudevents import EVENT_LIMIT, write, write_batch
from streams.journal import source_key
from streams.routing import shard_of
from streams.web.customers import CustomerId, found
from streams.web.doors import Doors, as_json
from streams.web.problems import Problem

WAITING = 2_000
"""Messages of decisions that may be on their way to the journal."""
MOMENT = 0.05
"""Seconds for which decisions are gathered."""
AT_ONCE = 256
GRACE = 300
"""Seconds that a place is held beyond its time by what is folded, so that word of what was shown has arrived."""
UNHEARD = 24 * 3600
"""Seconds that it is held beyond its time while the decision itself is not folded yet."""


class Treatment(BaseModel):
    """An offer to show: its name, and the words for this channel if there are any, by language."""

    offer: str
    name: dict[str, str]
    words: dict[str, str]
    mandatory: bool


class NextBestOffer(BaseModel):
    """The answer to a channel: the decision by its number, what to show, best first, all candidates, every drop with its reason.

    `by_value` says why the models had no say, if they had none. On a channel with caps the offer has to be shown by `present_by`.
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


def add_offers(app: FastAPI, doors: Doors) -> "Recording":
    """Add the question what to offer; gives what sends the decisions, to be flushed at the end."""
    recording, numbers = Recording(doors), _numbers()

    @app.get("/v1/customers/{customer}/next-best-offer", summary="What to offer now, and why not something else", response_model=NextBestOffer)
    async def next_best_offer(
        customer: CustomerId,
        channel: Channel = "app",
        limit: Annotated[int, Query(ge=1, le=10, description="How many offers to show")] = 1,
        personalised: Annotated[bool, Query(description="False: nothing that is known of the customer ranks the offers")] = True,
    ) -> Response:
        _room_for_one_more(doors)
        who = await found(doors, customer)
        models = await doors.lookups.models(doors.models)
        asked = Asked(next(numbers), channel, _now(doors), limit, personalised)
        decided = await _decided(doors, who, models, asked)
        answer = as_json(_answer(doors.catalogue, customer, decided))
        answer.background = BackgroundTask(record, who.stream, decided, asked.now)
        return answer

    @app.get(
        "/v1/customers/{customer}/foresight", summary="What may come: leaving, with its reasons; wanting; the next month's balance; flows unlike the customer"
    )
    async def foresight(customer: CustomerId) -> Response:
        who, today = await found(doors, customer), datetime.now(doors.zone).date()
        models, watch = await doors.lookups.models(doors.models), doors.catalogue.watch
        key = tier_on(who.policy, who.standing, today) in watch.tiers
        return as_json({"customer": customer, **vars(foresee(who.months.rows, models, key, watch.churn_permille, doors.catalogue.currency))})

    async def record(stream: str, decided: OfferDecided, now: datetime) -> None:
        recording.add(stream, decided, now)

    return recording


def _now(doors: Doors) -> datetime:
    """The time in the bank's zone, with its offset fixed: what is decided again later has no other, whatever becomes of summer time."""
    now = datetime.now(doors.zone)
    return now.replace(tzinfo=timezone(now.utcoffset() or timedelta()))


def adopt(catalogue: Catalogue, doors: Doors) -> None:
    """Put the catalogue into the journal, unless it is there: decisions that name it can be made again."""
    shard = shard_of(CATALOGUES, doors.shards)
    if not doors.journal[shard].known([source_key(DECISIONS, catalogue.digest)]):
        said = CatalogueAdopted(label=catalogue.label, digest=catalogue.digest, catalogue=catalogue.model_dump(mode="json", exclude_defaults=True))
        today = datetime.now(doors.zone).replace(hour=0, minute=0, second=0, microsecond=0)  # of the day, so that two processes say the same
        event = write(Proposed(DECISIONS, catalogue.digest, CATALOGUES, today, today.date(), said))
        if len(event) > EVENT_LIMIT:
            raise ValueError(f"the catalogue {catalogue.label} has {len(event)} bytes, and {EVENT_LIMIT} is the limit of an event: make two of it")
        doors.courier.submit(shard, event)


async def _decided(doors: Doors, who: Customer, models: Mapping[str, Learnt], asked: Asked) -> OfferDecided:
    """A decision whose place with the caps is held; decided again where somebody else took the last one."""
    capped = any(cap.of == "household" for cap in doors.catalogue.contact.on(asked.channel))
    households = await doors.lookups.households(who.offers.households) if capped else []
    while True:
        decided = decide_offer(who, households, doors.catalogue, models, asked)
        reached = await _reserve(doors, who, households, decided, asked) if decided.present_by else None
        if reached is None:
            return decided
        asked = Asked(asked.decision, asked.channel, asked.now, asked.limit, asked.personalised, (*asked.full, reached))


async def _reserve(doors: Doors, who: Customer, households: list[Household], decided: OfferDecided, asked: Asked) -> int | None:
    """Hold a place of the customer and of each household; None, or the number of the cap that somebody else has used up just now."""
    policy, own = doors.catalogue.contact, who.offers.contacts
    held: list[str] = []
    for stream, of in ((who.stream, "customer"), *((household.name, "household") for household in households)):
        everybody = [own] if of == "customer" else [own, *(household.offers.contacts for household in households)]
        kinds = {of} if households else {"customer", "household"}  # who belongs to no household is one
        caps = {number: cap for number, cap in enumerate(policy.caps) if cap.of in kinds and asked.channel in cap.channels}
        counted = {number: taken(cap, everybody, asked.now) for number, cap in caps.items()}
        rooms = [Room(cap.at_most - len(counted[number]), cap.channels) for number, cap in caps.items()]
        over = {name for each in everybody for name, held_place in each.held.items() if held_place.until + timedelta(seconds=GRACE) < asked.now}
        known = {name for names in counted.values() for _, name in names} | over
        place, seconds = Place(shard_of(stream, doors.shards), REACTIONS.name), policy.present_minutes * 60 + UNHEARD
        reached = await doors.store.reserve(place, stream, decided.decision, asked.channel, seconds, known, rooms)
        if reached is not None:
            for other in held:
                await doors.store.release(Place(shard_of(other, doors.shards), REACTIONS.name), other, decided.decision, asked.channel)
            return list(caps)[reached]
        held.append(stream)
    return None


def _numbers() -> Iterator[str]:
    """Numbers for decisions that nobody can guess; the system is asked for many at once, because asking costs."""
    while True:
        drawn = os.urandom(AT_ONCE * 16)
        yield from (drawn[place : place + 16].hex() for place in range(0, len(drawn), 16))


class Recording:
    """Decisions on their way to the journal: those of a moment go together, and nobody waits for them."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._waiting: dict[int, list[bytes]] = {}

    def add(self, stream: str, decided: OfferDecided, now: datetime) -> None:
        """Send a decision, with how likely its first offer was."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(MOMENT, self.flush)
        event = Proposed(DECISIONS, decided.decision, stream, now, now.date(), with_probability(decided, self._doors.catalogue))
        self._waiting.setdefault(shard_of(stream, self._doors.shards), []).append(write(event))

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, {}
        for shard, events in waiting.items():
            self._doors.courier.submit(shard, write_batch(events), batch=True)


def _room_for_one_more(doors: Doors) -> None:
    """Raises a 503 while too many decisions wait for the journal. What is gathered when a process is killed is told and not recorded."""
    if doors.courier.outstanding > WAITING:
        raise Problem(503, "decisions cannot be recorded just now; try again")


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
    return {"offer": offer.offer, "name": offer.name, "words": offer.treatments.get(channel, {}), "mandatory": offer.mandatory}
