"""How does an interaction come in over HTTP? By the same front door, answered when it is safe."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, date, datetime
from itertools import islice
from typing import Annotated, Any, cast

from fastapi import FastAPI, Header, Request, Response
from pydantic import BaseModel

from domain.accounts.events import TransactionReversed
from domain.bank.events import DayClosed
from domain.envelope import Proposed
from domain.event_types import type_key
from domain.offers.labels import doubt_of_label
from domain.tiering.by_hand import doubt_of_length, doubt_of_second, needs_second
from domain.tiering.events import TierOverridden, TierOverrideProposed, TierOverrideWithdrawn
from domain.tiering.policy import RETAIL
from streams.broker.routing import shard_of, spread
from streams.ingest.answers import UNKNOWN, Answer, doubt_of_answer
from streams.ingest.cloudevents import read_request, write, write_batch
from streams.ingest.reversals import doubt_of_reversal
from streams.ingest.screening import Screen, last_closed
from streams.ingest.signature import needs_signature
from streams.journal import Known, Rejected
from streams.publish.confirmed_producer import Delivered
from streams.web.api.outcomes import SentName
from streams.web.dependencies import WebDependencies, as_json
from streams.web.problems import Problem, problems

PATIENCE = 30.0
"""Seconds that a sender waits for the journal's word."""
RECORDED_WITHIN = 3.0
"""Seconds within which a decision that was told is recorded."""

OUTCOMES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All were recorded before"},
    202: {"description": "Accepted, not yet recorded"},
    **problems(
        {
            409: "The same source and id was recorded with other content",
            410: "Refused: their subject was forgotten",
        }
    ),
}


CLOUD_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        **{name: {"type": "string"} for name in ("id", "source", "type", "subject")},
        "time": {"type": "string", "format": "date-time"},
        "businessdate": {"type": "string", "format": "date"},
        "data": {"type": "object"},
    },
}
BODIES = {
    "application/cloudevents+json": {"schema": CLOUD_EVENT},
    "application/cloudevents-batch+json": {
        "schema": {"type": "array", "items": CLOUD_EVENT, "minItems": 1}
    },
}
"""What is handed in; `tierfold schema` writes what `data` is for each type."""


ByHand = TierOverridden | TierOverrideProposed | TierOverrideWithdrawn
"""What people say of a tier by hand."""


class Receipt(BaseModel):
    """What became of one posted interaction, and where it is in the journal."""

    source: str
    id: str
    outcome: str
    stream: str
    shard: int
    version: int | None = None
    position: int | None = None


def add_interactions(app: FastAPI, deps: WebDependencies) -> None:
    """Add the way in."""

    @app.post(
        "/v1/interactions",
        status_code=201,
        summary="Hand in interactions: one CloudEvent, or a batch",
        responses=OUTCOMES,
        openapi_extra={"requestBody": {"content": BODIES, "required": True}},
    )
    async def interactions(request: Request, prefer: Annotated[str, Header()] = "") -> Response:
        events = await _posted(request, deps)
        before = await _known(deps, events)
        delivered = [asyncio.wrap_future(future) for future in _submit(deps, events)]
        if "respond-async" in prefer or not deps.wait_for_journal:
            if not deps.wait_for_journal:
                await _safe(delivered)
            return as_json({"accepted": len(events)}, 202)
        await _safe(delivered)
        receipts = await _receipts(deps, events, before)
        outcomes = {receipt.outcome for receipt in receipts}
        status = 409 if "conflict" in outcomes else 201 if "recorded" in outcomes else 200
        if "refused" in outcomes:
            raise Problem(
                410,
                "their subject was forgotten, and nothing more is recorded of them",
                [r.model_dump() for r in receipts],
            )
        if status == 409:
            raise Problem(
                409,
                "the same source and id was recorded with other content; this one is in quarantine",
                [r.model_dump() for r in receipts],
            )
        return as_json([receipt.model_dump() for receipt in receipts], status)


def _submit(deps: WebDependencies, events: list[Proposed]) -> "list[Future[Delivered]]":
    by_shard: dict[int, list[bytes]] = {}
    for event in events:
        by_shard.setdefault(shard_of(event.stream, deps.shards), []).append(write(event))
    return [
        deps.producer.submit(shard, write_batch(raws), batch=True)
        for shard, raws in by_shard.items()
    ]


async def _safe(delivered: "list[asyncio.Future[Delivered]]") -> None:
    try:
        await asyncio.wait_for(asyncio.gather(*delivered), PATIENCE)
    except TimeoutError:
        raise Problem(
            503,
            "not yet safe: the journal does not take it just now; send it again, which is harmless",
        ) from None


async def _posted(request: Request, deps: WebDependencies) -> list[Proposed]:
    items, screen = read_request(await request.body(), request.headers.raw), deps.screens()
    if any(map(screen.forbids, items)):
        raise Problem(
            422,
            "nothing was recorded: passwords, biometrics and their like must never be sent here",
        )
    reads = await asyncio.to_thread(_believed, deps, screen, [item.read for item in items])
    _refuse(reads)
    events = [screen.named(cast("Proposed", item.read)) for item in items]
    for event in events:
        await request.state.look.says(event)
    _refuse([Rejected(*doubt) if (doubt := doubt_of_label(event)) else None for event in events])
    _refuse([await _doubt_of_tier(deps, event) for event in events])
    _refuse([await _doubt_of_answer(deps, event) for event in events])
    if any(isinstance(event.data, TransactionReversed) for event in events):
        _refuse(await asyncio.to_thread(_doubts_of_reversals, deps, events))
    return [copy for event in events for copy in spread(event, deps.shards)]


def _refuse(reads: Sequence[Proposed | Rejected | None]) -> None:
    """Raises a 422 with everything that was rejected."""
    errors = [
        {"item": number, "field": read.field, "detail": read.reason}
        for number, read in enumerate(reads)
        if isinstance(read, Rejected)
    ]
    if errors:
        raise Problem(422, "nothing was recorded: these events cannot be read", errors)


async def _doubt_of_tier(deps: WebDependencies, event: Proposed) -> Rejected | None:
    """Why a tier cannot be set by hand, proposed, or taken back."""
    said = event.data
    if not isinstance(said, ByHand):
        return None
    return _doubt_of_scheme(deps, said) or await _doubt_of_right(deps, event, said)


def _doubt_of_scheme(deps: WebDependencies, said: ByHand) -> Rejected | None:
    """No policy that is carried has the tier, or several schemes do; or there is no such scheme."""
    by_scheme = deps.lookups.tiers()
    if said.scheme is not None and said.scheme not in by_scheme:
        return Rejected(f"there is no such scheme: {', '.join(by_scheme)} are known", "data.scheme")
    if isinstance(said, TierOverrideWithdrawn):
        return None
    tiers = (
        by_scheme[said.scheme]
        if said.scheme
        else [*dict.fromkeys(tier for some in by_scheme.values() for tier in some)]
    )
    if said.tier not in tiers:
        return Rejected(f"there is no such tier: {', '.join(tiers)} are known", "data.tier")
    having = [scheme for scheme, some in by_scheme.items() if said.tier in some]
    if said.scheme is None and (len(having) > 1 or (RETAIL in by_scheme and RETAIL not in having)):
        return Rejected(f"say in which scheme: {', '.join(having)} has this tier", "data.scheme")
    return None


async def _doubt_of_right(deps: WebDependencies, event: Proposed, said: ByHand) -> Rejected | None:
    """One person may not do this alone, or not for so long."""
    if isinstance(said, TierOverrideWithdrawn):
        return None
    policies = deps.lookups.policies()
    having = (name for name, each in policies.items() if each.rank(said.tier) is not None)
    policy = policies.get(said.scheme or next(having, RETAIL))
    if policy is None:
        return None
    doubt = doubt_of_length(policy, said, datetime.now(deps.zone).date())
    if doubt is None and isinstance(said, TierOverridden) and needs_second(policy, said):
        doubt = doubt_of_second(said, await asyncio.to_thread(_proposal, deps, event, said))
    return Rejected(doubt.reason, f"data.{doubt.field}") if doubt else None


def _proposal(
    deps: WebDependencies, event: Proposed, said: TierOverridden
) -> TierOverrideProposed | None:
    """What was proposed for a customer under the id that is said."""
    own = deps.journal[shard_of(event.stream, deps.shards)]
    kinds, version = [type_key(TierOverrideProposed)], 0
    while events := own.history(event.stream, version, event_types=kinds):
        for each in events:
            if each.id == said.proposal and isinstance(each.data, TierOverrideProposed):
                return each.data
        version = events[-1].version
    return None


def _doubts_of_reversals(
    deps: WebDependencies, events: Sequence[Proposed]
) -> list[Rejected | None]:
    """Why events undo nothing that was posted, nor is posted before them in the same request."""
    return [
        doubt_of_reversal(
            event, deps.journal[shard_of(event.stream, deps.shards)], islice(events, at)
        )
        for at, event in enumerate(events)
    ]


async def _doubt_of_answer(deps: WebDependencies, event: Proposed) -> Rejected | None:
    """Why an event answers what was not decided.

    A decision that was told just now is waited for. Raises a 503 where it may still be on its way.
    """
    if not isinstance(event.data, Answer):
        return None
    own = deps.journal[shard_of(event.stream, deps.shards)]
    until = time.monotonic() + RECORDED_WITHIN
    while True:
        doubt = await asyncio.to_thread(doubt_of_answer, event, own, deps.journal)
        if doubt is not UNKNOWN:
            return doubt
        if time.monotonic() > until and deps.producer.outstanding:
            raise Problem(503, "this decision may not be recorded yet; send it again")
        if time.monotonic() > until:
            return doubt
        await asyncio.sleep(RECORDED_WITHIN / 20)


def _believed(
    deps: WebDependencies, screen: Screen, reads: Sequence[Proposed | Rejected]
) -> list[Proposed | Rejected]:
    """What was read, in order, unless it cannot be believed; what is our own people's word is.

    Days of one batch may follow one another.
    """
    days: list[date] = []

    def closed(_: date) -> date | None:
        return max(filter(None, (last_closed(deps.journal), *days)), default=None)

    def believed(read: Proposed | Rejected) -> Proposed | Rejected:
        if isinstance(read, Rejected):
            return read
        if needs_signature(read) and "modeller" not in read.data.senders:
            return read
        if read.stream.startswith("shard:"):
            return Rejected("this is for the whole bank: its subject is `bank`", "subject")
        doubt = screen.doubt(read, datetime.now(UTC), closed)
        if doubt is None and isinstance(read.data, DayClosed):
            days.append(read.data.date)
        return doubt or read

    return list(map(believed, reads))


def _name(event: Proposed) -> SentName:
    return SentName(event.source, event.id, event.stream)


async def _known(deps: WebDependencies, events: list[Proposed]) -> dict[SentName, Known]:
    by_shard: dict[int, list[Proposed]] = {}
    for event in events:
        by_shard.setdefault(shard_of(event.stream, deps.shards), []).append(event)
    known: dict[SentName, Known] = {}
    for shard, some in by_shard.items():
        found = await asyncio.to_thread(deps.journal[shard].find, some)
        known |= {_name(event): at for event, at in zip(some, found, strict=True) if at}
    return known


async def _receipts(
    deps: WebDependencies, events: list[Proposed], before: dict[SentName, Known]
) -> list[Receipt]:
    after = await _known(deps, events)
    return [await _receipt(deps, event, before, after) for event in events]


async def _receipt(
    deps: WebDependencies,
    event: Proposed,
    before: dict[SentName, Known],
    after: dict[SentName, Known],
) -> Receipt:
    shard = shard_of(event.stream, deps.shards)
    receipt = Receipt(
        source=event.source, id=event.id, outcome="refused", stream=event.stream, shard=shard
    )
    known = after.get(_name(event))
    if known is None:
        await _must_be_forgotten(deps, event)
        return receipt
    [identity] = await asyncio.to_thread(deps.journal[shard].identified, [event])
    if known.content != identity.content:
        return receipt.model_copy(update={"outcome": "conflict"})
    [row] = await asyncio.to_thread(deps.journal[shard].rows, known.stream, known.version - 1, 1)
    outcome = "already" if _name(event) in before else "recorded"
    return receipt.model_copy(
        update={"outcome": outcome, "version": known.version, "position": row.position}
    )


async def _must_be_forgotten(deps: WebDependencies, event: Proposed) -> None:
    """Raises a 503 where an event is not in the journal although its subject was not forgotten."""
    keyring, subject = deps.journal.keyring, event.subject
    if (
        keyring is None
        or subject is None
        or not await asyncio.to_thread(keyring.destroyed, [subject])
    ):
        raise Problem(
            503,
            "it is not in the journal, and may be in quarantine; send it again, which is harmless",
        )
