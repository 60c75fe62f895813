"""Which questions about a customer are answered? The picture, the tier, the ledger, the history."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from heapq import merge
from itertools import islice
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response

from domain.accounts.ledger import Ledger, Part
from domain.customers.identity import numbers_of
from domain.envelope import Recorded
from domain.event import NAME
from domain.event_types import TYPE_BY_EVENT
from projections.views.customer import Customer, asked_as
from projections.views.tier import answer
from streams.broker.routing import shard_of
from streams.journal import Journal
from streams.web.dependencies import WebDependencies, as_json
from streams.web.problems import Problem
from streams.web.security.masking import shown

WHOLE = 1_000
"""Permille."""

CustomerId = Annotated[
    str,
    Path(
        pattern=f"^{NAME}$",
        description="The customer's number, without `customer:`",
    ),
]

SchemeAsked = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z][a-z0-9\-]{0,39}$",
        description="The scheme; if none is named, the one that counts for the customer",
    ),
]


async def known_customer(deps: WebDependencies, name: str, request: Request) -> Customer:
    """The customer of this number, who may have others; the look is at all of them.

    Raises a 404 where nothing was ever recorded of them, a 503 where it is not folded yet, and a
    403 where they are restricted.
    """
    customer = await deps.lookups.customer(name)
    if customer is None:
        await refuse_restricted(deps.journal, name)
        await refuse_unfolded(deps, f"customer:{name}")
        raise Problem(404, f"nothing is recorded of customer {name}")
    request.state.look.also(customer.numbers)
    for number in _unseen(customer):
        await refuse_restricted(deps.journal, number.removeprefix("customer:"))
    return customer


def _unseen(customer: Customer) -> set[str]:
    """The person's numbers of which nothing is folded, because they are restricted, say."""
    seen = {*customer.numbers, customer.stream}
    return {*numbers_of(customer.identity, customer.stream)} - seen


async def is_open(journal: Journal, customer: Customer) -> bool:
    """Whether others than auditors may be told of somebody: no number of theirs is restricted."""
    try:
        for number in _unseen(customer):
            await refuse_restricted(journal, number.removeprefix("customer:"))
    except Problem:
        return False
    return True


async def refuse_unfolded(deps: WebDependencies, stream: str) -> None:
    """Raises a 503 where something is recorded, and the agents have not come so far."""
    shard = deps.journal[shard_of(stream, deps.shards)]
    first = await asyncio.to_thread(shard.history, stream, 0, 1)
    if first and await deps.lookups.reached(stream) < first[0].position:
        raise Problem(503, "what is recorded of this customer is not folded yet; try again")


async def refuse_restricted(journal: Journal, name: str) -> None:
    """Raises a 403 where the data of a customer is for auditors only."""
    if journal.keyring is None:
        return
    since = await asyncio.to_thread(journal.keyring.restricted_since, f"customer:{name}")
    if since is not None:
        raise Problem(403, f"customer {name} is restricted since {since.date()}: for auditors only")


def add_customers(app: FastAPI, deps: WebDependencies) -> None:
    """Add the questions about one customer."""

    @app.get("/v1/customers/{customer}", summary="The whole picture of a customer")
    async def picture(customer: CustomerId, request: Request) -> Response:
        who, today = await known_customer(deps, customer, request), datetime.now(deps.zone).date()
        known = {
            "profile": who.profile,
            "ledger": {"accounts": _balances(who.ledger, today)},
            "standing": answer(who.on(today), today),
        }
        rooms = {
            "complaints": who.complaints,
            "benefits": who.benefits,
            "surveys": who.surveys,
            "life": who.life,
        }
        seen = shown(request, deps.privacy, known | rooms)
        return as_json(
            {
                **asked_as(customer, who.numbers),
                "balances": seen.pop("ledger")["accounts"],
                **seen,
            }
        )

    @app.get(
        "/v1/customers/{customer}/tier",
        summary=(
            "The tier, since when, on what grounds, what is missing for the next, and where this "
            "month is heading"
        ),
    )
    async def tier(customer: CustomerId, request: Request, scheme: SchemeAsked = None) -> Response:
        who, today = await known_customer(deps, customer, request), datetime.now(deps.zone).date()
        asked = who.under(scheme) if scheme else who.on(today)
        if asked is None:
            raise Problem(404, f"there is no scheme {scheme}")
        return as_json(
            {
                **asked_as(customer, who.numbers),
                **shown(request, deps.privacy, vars(answer(asked, today))),
            }
        )

    @app.get(
        "/v1/customers/{customer}/ledger",
        summary="Running balances and the facts of each month, in minor units",
    )
    async def ledger(customer: CustomerId, request: Request) -> Response:
        who = await known_customer(deps, customer, request)
        known = {"ledger": who.ledger, "months": {"rows": who.rows}}
        seen = shown(request, deps.privacy, known)
        months = seen.pop("months")["rows"]
        return as_json({**asked_as(customer, who.numbers), **seen, "months": months})

    @app.get(
        "/v1/customers/{customer}/history",
        summary="Every event of a customer, in order; of a person with several numbers, of all",
    )
    async def history(
        customer: CustomerId,
        request: Request,
        after: Annotated[
            str,
            Query(pattern=r"^[0-9]{1,18}(,[0-9]{1,18})*$", description="`next` of the last page"),
        ] = "0",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        who = await known_customer(deps, customer, request)
        numbers = who.numbers or (who.stream,)
        behind = _places(after, len(numbers))
        events = await asyncio.to_thread(_timeline, deps, numbers, behind, limit)
        events_shown = [
            {
                **({"number": event.stream.removeprefix("customer:")} if who.numbers else {}),
                **_fields(event),
                "type": TYPE_BY_EVENT[type(event.data)],
                "data": event.data.model_dump(mode="json"),
            }
            for event in events
        ]
        reached = dict(zip(numbers, behind, strict=True)) | {
            event.stream: event.version for event in events
        }
        return as_json(
            {
                **asked_as(customer, who.numbers),
                "events": events_shown,
                "next": _next(reached) if len(events) == limit else None,
            }
        )


def _balances(ledger: Ledger, today: date) -> dict[str, dict[str, Any]]:
    """What stands on each account that is open or not empty, and which part of it is theirs."""
    return {
        number: {
            "balance": account.balance,
            "currency": account.currency,
            "asset_class": account.asset_class,
            **({"closed": True} if account.closed else {}),
            **_share(ledger.shares_of(number, account.currency), today),
        }
        for number, account in ledger.accounts.items()
        if account.balance or not account.closed
    }


def _share(parts: Mapping[str, Part], today: date) -> dict[str, int]:
    """How many permille of a joint account are a holder's by a day; nothing of a whole one."""
    begun = [day for day in parts if day <= today.isoformat()]
    part = parts[max(begun)] if begun else Part(0, WHOLE)
    share = part.upto_permille - part.from_permille
    return {} if share == WHOLE else {"share_permille": share}


def _places(after: str, numbers: int) -> list[int]:
    """Behind which version of each number a page begins."""
    places = [*map(int, after.split(","))]
    if places == [0]:
        return [0] * numbers
    if len(places) != numbers:
        raise Problem(422, "after: the person's numbers are others now; begin with the first page")
    return places


def _next(reached: dict[str, int]) -> int | str:
    versions = [*reached.values()]
    return versions[0] if len(versions) == 1 else ",".join(map(str, versions))


def _timeline(
    deps: WebDependencies, numbers: Sequence[str], behind: Sequence[int], limit: int
) -> list[Recorded]:
    """The events of several numbers in one order, by when they were recorded."""
    of_each = [
        deps.journal[shard_of(stream, deps.shards)].history(stream, version, limit)
        for stream, version in zip(numbers, behind, strict=True)
    ]
    return [*islice(merge(*of_each, key=lambda event: event.recorded_at), limit)]


def _fields(event: Recorded) -> dict[str, Any]:
    names = (
        "position",
        "version",
        "source",
        "id",
        "occurred_at",
        "business_date",
        "recorded_at",
        "cause",
    )
    return {name: getattr(event, name) for name in names}
