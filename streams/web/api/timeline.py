"""What happened between the bank and a customer, for those who serve them: the newest first, in
short, masked as their role sees it.

Of a history of more than two thousand events each two thousand, by when they were recorded, are in
an order of their own.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import FastAPI, Query, Request, Response

from domain.access.privacy_policy import PrivacyPolicy, masked
from domain.accounts.events import BalanceReported, TransactionPosted
from domain.campaigns.events import CampaignTouched
from domain.customers.events import ChannelVisited, ServiceUsed
from domain.envelope import Recorded
from domain.event_types import TYPE_BY_EVENT, type_name
from domain.offers.events import OfferDecided, OfferLapsed, OfferPresented
from projections.views.customer import asked_as
from projections.views.history import INTERNAL
from streams.broker.routing import shard_of
from streams.journal import Journal
from streams.web.api.customers import CustomerId, known_customer
from streams.web.dependencies import WebDependencies, as_json
from streams.web.problems import Problem

EVERYDAY = (
    BalanceReported,
    CampaignTouched,
    ChannelVisited,
    OfferDecided,
    OfferLapsed,
    OfferPresented,
    ServiceUsed,
    TransactionPosted,
)
"""Of what there is much: several in a row are told as one."""
Subject = Literal[
    "accounts",
    "campaigns",
    "cases",
    "customers",
    "feedback",
    "households",
    "managers",
    "offers",
    "tiering",
]
MOST = 2_000
"""Events of a window: within it all are in one order."""


class Place(NamedTuple):
    """How far a reader has come: of each number, the version before which a window of events ends,
    and how many of those that are told were told.
    """

    numbers: tuple[str, ...]
    before: tuple[int, ...]
    told: int = 0

    def said(self) -> str | None:
        """As the next question says it; None where nothing is left."""
        if not self.told and all(each <= 1 for each in self.before):
            return None
        return f"{','.join(map(str, self.before))}~{self.told}"


def add_timeline(app: FastAPI, deps: WebDependencies) -> None:
    """Add the question what happened."""

    @app.get(
        "/v1/customers/{customer}/timeline",
        summary="What happened, the newest first; several of a kind in a row are told as one, "
        "unless unfolded",
    )
    async def timeline(
        customer: CustomerId,
        request: Request,
        about: Annotated[
            list[Subject] | None, Query(description="Of what; of everything, if not said")
        ] = None,
        unfolded: bool = False,
        before: Annotated[
            str | None,
            Query(
                pattern=r"^[0-9]{1,18}(,[0-9]{1,18})*~[0-9]{1,4}$",
                description="`next` of the last page",
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        who = await known_customer(deps, customer, request)
        numbers = who.numbers or (who.stream,)
        start = await asyncio.to_thread(_start, deps.journal, numbers, before)
        wanted = frozenset(about) if about else None
        events, after = await asyncio.to_thread(_page, deps.journal, start, wanted, limit)
        privacy = None if request.state.look.unmasked else deps.privacy
        lines = [_line(event, privacy, several=bool(who.numbers)) for event in events]
        return as_json(
            {
                **asked_as(customer, who.numbers),
                "events": lines if unfolded else [*_folded(lines)],
                "next": after.said(),
            }
        )


def _start(journal: Journal, numbers: tuple[str, ...], before: str | None) -> Place:
    """Where a page begins."""
    ends = tuple(journal[shard_of(each, len(journal))].length(each) + 1 for each in numbers)
    if before is None:
        return Place(numbers, ends)
    versions, _, told = before.partition("~")
    places = tuple(map(int, versions.split(",")))
    if len(places) != len(numbers):
        raise Problem(422, "before: the person's numbers are others now; begin with the first page")
    return Place(numbers, tuple(map(min, places, ends)), int(told))


def _page(
    journal: Journal, place: Place, wanted: frozenset[str] | None, limit: int
) -> tuple[list[Recorded], Place]:
    """The events of a page, the newest first, and where the next begins.

    In a window of the last events of each number the business date counts.
    """
    size = max(MOST // len(place.numbers), 1)
    begins = tuple(max(each - size, 1) for each in place.before)
    window = [
        event
        for number, begin, end in zip(place.numbers, begins, place.before, strict=True)
        for event in journal[shard_of(number, len(journal))].history(number, begin - 1, end - begin)
        if event.version < end
        and not isinstance(event.data, INTERNAL)
        and (wanted is None or subject(event) in wanted)
    ]
    window.sort(
        key=lambda event: (event.business_date, event.recorded_at, event.version), reverse=True
    )
    told = place.told + limit
    after = place._replace(told=told) if told < len(window) else Place(place.numbers, begins)
    return window[place.told : told], after


def subject(event: Recorded) -> str:
    """What an event is about: the room of its class."""
    return type(event.data).__module__.split(".")[1]


def _line(event: Recorded, privacy: PrivacyPolicy | None, *, several: bool) -> dict[str, Any]:
    kind = type(event.data)
    data: Mapping[str, Any] = event.data.model_dump(mode="json")
    if privacy is not None:
        known = privacy.events.get(type_name(kind))
        data = masked(known.fields if known else {}, privacy.wherever, data) if known else {}
    return {
        **({"number": event.stream.removeprefix("customer:")} if several else {}),
        "type": TYPE_BY_EVENT[kind],
        "about": subject(event),
        "version": event.version,
        "business_date": event.business_date,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "everyday": issubclass(kind, EVERYDAY),
        "data": data,
    }


def _folded(lines: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same, several of an everyday kind in a row as one: how many, from when until when."""
    run: list[dict[str, Any]] = []
    for line in lines:
        if run and (line["type"], line["everyday"]) != (run[0]["type"], True):
            yield _one(run)
            run = []
        run.append(line)
    if run:
        yield _one(run)


def _one(run: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(run) == 1:
        return run[0]
    days: list[date] = [line["business_date"] for line in run]
    return {
        **{name: each for name, each in run[0].items() if name not in ("data", "number")},
        "count": len(run),
        "since": min(days),
        "until": max(days),
        **_sums(run),
    }


def _sums(run: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What movements in a row come to, in and out by currency, in minor units; nothing of others,
    or where amounts are masked.
    """
    amounts = [(line["data"].get("currency"), line["data"].get("amount")) for line in run]
    if not all(isinstance(amount, int) for _, amount in amounts):
        return {}
    found: dict[str, dict[str, int]] = {"in": {}, "out": {}}
    for currency, amount in amounts:
        way = found["in" if amount > 0 else "out"]
        way[currency] = way.get(currency, 0) + amount
    return found
