"""Which questions about a customer are answered? The picture, the tier, the ledger, the history, the next best offer."""

import asyncio
import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Response
from pydantic import BaseModel

from domain.catalogue import TOPIC_BY_EVENT
from domain.interaction import Channel
from domain.offers import Candidate, Dropped
from domain.recorded import Proposed, Recorded
from projections.answer import Answer, answer
from projections.deciding import decide_offer
from projections.picture import Customer
from streams.cloudevents import write
from streams.routing import shard_of
from streams.web.doors import Doors, as_json
from streams.web.problems import Problem

SOURCE = "tierfold/decisions"
WAITING = 2_000
CustomerId = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.\-:/@#]+$", description="The customer's number, without `customer:`")]


class NextBestOffer(BaseModel):
    """The answer to a channel: the decision by its number, the offer, all candidates best first, every drop with its reason."""

    decision: str
    customer: str
    offer: str | None
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    catalogue: str
    policy: str | None


def add_customers(app: FastAPI, doors: Doors) -> None:
    """Add the questions about one customer."""

    async def found(name: str) -> Customer:
        customer = await doors.lookups.customer(name)
        if customer is None:
            raise Problem(404, f"nothing is recorded of customer {name}")
        return customer

    @app.get("/v1/customers/{customer}", summary="The whole picture of a customer")
    async def profile(customer: CustomerId) -> Response:
        who = await found(customer)
        balances = {number: {"balance": account.balance, "currency": account.currency, "asset_class": account.asset_class}
                    for number, account in who.ledger.accounts.items() if not account.closed}  # fmt: skip
        return as_json({"customer": customer, "profile": who.profile, "balances": balances, "standing": _answer(doors, who)})

    @app.get("/v1/customers/{customer}/tier", summary="The tier, since when, on what grounds, what is missing for the next, and where this month is heading")
    async def tier(customer: CustomerId) -> Response:
        return as_json({"customer": customer, **vars(_answer(doors, await found(customer)))})

    @app.get("/v1/customers/{customer}/ledger", summary="Running balances and the facts of each month, in minor units")
    async def ledger(customer: CustomerId) -> Response:
        who = await found(customer)
        return as_json({"customer": customer, "ledger": who.ledger, "months": who.months.rows})

    @app.get("/v1/customers/{customer}/history", summary="Every event of a customer, in order")
    async def history(customer: CustomerId, after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        await found(customer)
        stream = f"customer:{customer}"
        shard = doors.journal[shard_of(stream, doors.shards)]
        events = await asyncio.to_thread(shard.history, stream, after, limit)
        shown = [{**_fields(event), "type": TOPIC_BY_EVENT[type(event.data)], "data": event.data.model_dump(mode="json")} for event in events]
        return as_json({"customer": customer, "events": shown, "next": events[-1].version if len(events) == limit else None})

    @app.get("/v1/customers/{customer}/next-best-offer", summary="What to offer now, and why not something else")
    async def next_best_offer(customer: CustomerId, channel: Channel = "app") -> NextBestOffer:
        who = await found(customer)
        now = datetime.now(doors.zone)
        models = await doors.lookups.models(doors.catalogue.offers)
        decided = decide_offer(who, doors.catalogue, models, uuid.uuid4().hex, channel, now.date())
        event = Proposed(SOURCE, decided.decision, who.stream, now, now.date(), decided)
        _room_for_one_more(doors)
        doors.courier.submit(shard_of(who.stream, doors.shards), write(event))
        return NextBestOffer(customer=customer, **decided.model_dump(include=set(NextBestOffer.model_fields) - {"customer"}))


def _room_for_one_more(doors: Doors) -> None:
    """A decision that could not be recorded is not told; raises a 503 while too many wait for the journal."""
    if doors.courier.outstanding > WAITING:
        raise Problem(503, "decisions cannot be recorded just now; try again")


def _answer(doors: Doors, who: Customer) -> Answer:
    return answer(who, datetime.now(doors.zone).date())


def _fields(event: Recorded) -> dict[str, Any]:
    names = ("position", "version", "source", "id", "occurred_at", "business_date", "recorded_at", "cause")
    return {name: getattr(event, name) for name in names}
