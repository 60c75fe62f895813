"""Which questions are answered over HTTP? The customer, the tier, the ledger, the history, the next best offer.

And one way in: `POST /v1/interactions`, by the same front door as everything else.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, cast

import msgspec
from fastapi import FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from domain.interaction import Channel
from domain.offers import Candidate, Catalogue, Dropped
from domain.recorded import Proposed
from domain.tiering import TierPolicy, tier_on
from projections.redis import RedisError, RedisStore
from streams.cloudevents import MESSAGE_LIMIT, read_message, write, write_batch
from streams.courier import Courier
from streams.health import LATENCY, Health
from streams.journal import Journal, Known, Rejected, identify
from streams.lookups import Customer, Lookups, decide_offer
from streams.problems import Problem, add_problems, answer
from streams.routing import shard_of, spread

SOURCE = "tierfold/decisions"
CustomerId = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[\w.\-/@#]+$", description="The customer's number, without `customer:`")]


@dataclass(frozen=True)
class Doors:
    """What the lookups reach, put together elsewhere."""

    store: RedisStore
    journal: Journal
    courier: Courier
    health: Health
    lookups: Lookups
    policy: TierPolicy
    catalogue: Catalogue
    shards: int
    wait_for_journal: bool


class NextBestOffer(BaseModel):
    """The answer to a channel: the decision by its number, the offer, all candidates best first, every drop with its reason."""

    decision: str
    customer: str
    offer: str | None
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    catalogue: str
    policy: str | None


class Receipt(BaseModel):
    """What became of one posted interaction, and where it is in the journal."""

    source: str
    id: str
    outcome: str
    stream: str
    shard: int
    version: int | None = None
    position: int | None = None


def web(doors: Doors) -> FastAPI:
    """The app; OpenAPI at `/docs`."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(doors.courier.close)
        await doors.store.close()

    app = FastAPI(title="tierfold", description="Tiers, folded from history: lookups and the front door.", version="1", lifespan=life)
    add_problems(app)
    _add_customers(app, doors)
    _add_front_door(app, doors)
    _add_health(app, doors)

    @app.exception_handler(RedisError)
    async def unavailable(_request: Request, _error: RedisError) -> JSONResponse:
        return answer(503, "the read models are not reachable; try again")

    @app.middleware("http")
    async def timed(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        start = time.perf_counter()
        response = await call(request)
        if route := request.scope.get("route"):
            LATENCY.labels(route.path).observe(time.perf_counter() - start)
        return response

    return app


def _add_customers(app: FastAPI, doors: Doors) -> None:
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
        return _json({"customer": customer, "profile": who.profile, "balances": balances, "standing": _standing(doors, who)})

    @app.get("/v1/customers/{customer}/tier", summary="The tier, since when, and on what grounds")
    async def tier(customer: CustomerId) -> Response:
        return _json({"customer": customer, **_standing(doors, await found(customer))})

    @app.get("/v1/customers/{customer}/ledger", summary="Running balances and the facts of each month, in minor units")
    async def ledger(customer: CustomerId) -> Response:
        who = await found(customer)
        return _json({"customer": customer, "ledger": who.ledger, "months": who.months.rows})

    @app.get("/v1/customers/{customer}/history", summary="Every event of a customer, in order")
    async def history(customer: CustomerId, after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        await found(customer)
        stream = f"customer:{customer}"
        shard = doors.journal[shard_of(stream, doors.shards)]
        events = await asyncio.to_thread(shard.history, stream, after, limit)
        shown = [{**_fields(event), "type": type(event.data).__name__, "data": event.data.model_dump(mode="json")} for event in events]
        return _json({"customer": customer, "events": shown, "next": events[-1].version if len(events) == limit else None})

    @app.get("/v1/customers/{customer}/next-best-offer", summary="What to offer now, and why not something else")
    async def next_best_offer(customer: CustomerId, channel: Channel = "app") -> NextBestOffer:
        who = await found(customer)
        now = datetime.now(UTC)
        models = await doors.lookups.models(doors.catalogue.offers)
        decided = decide_offer(who, doors.policy, doors.catalogue, models, uuid.uuid4().hex, channel, now.date())
        event = Proposed(SOURCE, decided.decision, who.stream, now, now.date(), decided)
        doors.courier.submit(shard_of(who.stream, doors.shards), write(event))
        return NextBestOffer(customer=customer, **decided.model_dump(include=set(NextBestOffer.model_fields) - {"customer"}))


def _add_front_door(app: FastAPI, doors: Doors) -> None:
    @app.post(
        "/v1/interactions",
        status_code=201,
        summary="Hand in interactions: one CloudEvent, or a batch",
        responses={200: {"description": "All were recorded before"}, 202: {"description": "Accepted, not yet recorded"}, 409: {"description": "Conflict"}},
        openapi_extra={"requestBody": {"content": {"application/cloudevents+json": {}, "application/cloudevents-batch+json": {}}, "required": True}},
    )
    async def interactions(request: Request, prefer: Annotated[str, Header()] = "") -> Response:
        events = await _posted(request, doors.shards)
        before = await _known(doors, events)
        delivered = [asyncio.wrap_future(future) for future in _submit(doors, events)]
        if "respond-async" in prefer or not doors.wait_for_journal:
            if not doors.wait_for_journal:
                await asyncio.gather(*delivered)
            return _json({"accepted": len(events)}, 202)
        await asyncio.gather(*delivered)
        receipts = await _receipts(doors, events, before)
        outcomes = {receipt.outcome for receipt in receipts}
        status = 409 if "conflict" in outcomes else 201 if "recorded" in outcomes else 200
        if status == 409:
            raise Problem(409, "the same source and id was recorded with other content; this one is in quarantine", [r.model_dump() for r in receipts])
        return _json([receipt.model_dump() for receipt in receipts], status)


def _submit(doors: Doors, events: list[Proposed]) -> list[Any]:
    by_shard: dict[int, list[bytes]] = {}
    for event in events:
        by_shard.setdefault(shard_of(event.stream, doors.shards), []).append(write(event))
    return [doors.courier.submit(shard, write_batch(raws), batch=True) for shard, raws in by_shard.items()]


async def _posted(request: Request, shards: int) -> list[Proposed]:
    body = await request.body()
    if len(body) > MESSAGE_LIMIT:
        raise Problem(413, f"the body has {len(body)} bytes, and {MESSAGE_LIMIT} is the limit")
    headers = [(name.replace("ce-", "ce_", 1), value.encode()) for name, value in request.headers.items()]
    items = read_message(None, body, headers)
    errors = [{"item": number, "field": item.read.field, "detail": item.read.reason} for number, item in enumerate(items) if isinstance(item.read, Rejected)]
    if errors:
        raise Problem(422, "nothing was recorded: these events cannot be read", errors)
    return [copy for item in items for copy in spread(cast("Proposed", item.read), shards)]


async def _known(doors: Doors, events: list[Proposed]) -> dict[str, Known]:
    keys: dict[int, list[str]] = {}
    for event in events:
        keys.setdefault(shard_of(event.stream, doors.shards), []).append(identify(event).key)
    found: dict[str, Known] = {}
    for shard, wanted in keys.items():
        found.update(await asyncio.to_thread(doors.journal[shard].known, wanted))
    return found


async def _receipts(doors: Doors, events: list[Proposed], before: dict[str, Known]) -> list[Receipt]:
    after = await _known(doors, events)
    return [await _receipt(doors, event, before, after) for event in events]


async def _receipt(doors: Doors, event: Proposed, before: dict[str, Known], after: dict[str, Known]) -> Receipt:
    identity = identify(event)
    shard = shard_of(event.stream, doors.shards)
    receipt = Receipt(source=event.source, id=event.id, outcome="conflict", stream=event.stream, shard=shard)
    known = after.get(identity.key)
    if known is None or known.content != identity.content:
        return receipt
    [recorded] = await asyncio.to_thread(doors.journal[shard].history, known.stream, known.version - 1, 1)
    outcome = "already" if identity.key in before else "recorded"
    return receipt.model_copy(update={"outcome": outcome, "version": recorded.version, "position": recorded.position})


def _add_health(app: FastAPI, doors: Doors) -> None:
    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="Dependencies answer and lag is low", responses={503: {"description": "Not ready, with reasons"}})
    async def readyz() -> Response:
        faults = await doors.health.faults()
        return answer(503, "; ".join(faults)) if faults else _json({"status": "ready"})

    @app.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(await doors.health.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _standing(doors: Doors, who: Customer) -> dict[str, Any]:
    today: date = datetime.now(UTC).date()
    in_force = tier_on(doors.policy, who.standing, today)
    names = next((tier.name for tier in doors.policy.tiers if tier.tier == in_force), {})
    fields = cast("dict[str, Any]", msgspec.to_builtins(who.standing))
    return {**fields, "tier": in_force, "assessed": who.standing.tier, "name": names, "policy": who.standing.policy or doors.policy.label}


def _fields(event: Any) -> dict[str, Any]:
    names = ("position", "version", "source", "id", "occurred_at", "business_date", "recorded_at", "cause")
    return {name: getattr(event, name) for name in names}


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
