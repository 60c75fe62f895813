"""Which questions about relationship managers are answered? Whom each looks after."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import FastAPI, Query, Request, Response

from projections.views.customer import Customer
from projections.views.tier import Answer, answer
from streams.web.api.customers import CustomerId, is_open
from streams.web.dependencies import WebDependencies, as_json
from streams.web.security.masking import shown

AT_ONCE = 50
"""Customers that are read in one go."""
MOST = 1_000
"""Customers that are looked through for one page."""
Moving = Literal["rising", "falling", "missing"]


class Wanted(NamedTuple):
    """Which customers of a book are asked for: part of a name, a tier, and how they move."""

    name: str | None = None
    tier: str | None = None
    moving: Moving | None = None


class Listed(NamedTuple):
    """A customer, and how they stand."""

    who: Customer
    stands: Answer

    def fits(self, wanted: Wanted) -> bool:
        """Whether this one is asked for."""
        name = self.who.profile.facts.get("name")
        return (
            (wanted.name is None or (name is not None and wanted.name in name.value))
            and wanted.tier in (None, self.stands.tier)
            and wanted.moving in (None, self.moving)
        )

    @property
    def moving(self) -> Moving | None:
        """Whether this month leads up or down, if nothing more moves, or misses what the tier
        needs.
        """
        heading, tier = self.stands.heading, self.stands.tier
        if heading is None or tier is None:
            return None
        rank = self.who.policy.rank
        now, then = rank(tier) or 0, rank(heading.tier) or 0
        if now != then:
            return "rising" if then > now else "falling"
        return "missing" if heading.watch else None


def add_managers(app: FastAPI, deps: WebDependencies) -> None:
    """Add the question about a manager's customers."""

    @app.get(
        "/v1/managers/{manager}/customers",
        summary="Whom a relationship manager looks after, and how each stands; a part of them by "
        "name, tier or where this month leads",
    )
    async def customers(
        manager: CustomerId,
        request: Request,
        name: Annotated[
            str | None, Query(min_length=1, max_length=100, description="A part of the name")
        ] = None,
        tier: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9\-]{0,39}$")] = None,
        moving: Annotated[
            Moving | None,
            Query(description="Where this month leads, if nothing more moves in it"),
        ] = None,
        after: Annotated[str, Query(max_length=128, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
    ) -> Response:
        request.state.look.at_book(manager)
        book = await deps.lookups.book(manager)
        today = datetime.now(deps.zone).date()
        numbers = sorted(each.removeprefix("customer:") for each in book.customers)
        left = [number for number in numbers if number > after]
        found, reached = await _found(deps, left[:MOST], today, Wanted(name, tier, moving), limit)
        request.state.look.also(one.who.stream for one in found)
        return as_json(
            {
                "manager": manager,
                "count": len(numbers),
                "customers": [_said(request, deps, one) for one in found],
                "tiers": found[0].stands.tiers if found else {},
                "next": reached if reached != (left[-1] if left else "") else None,
            }
        )


async def _found(
    deps: WebDependencies, numbers: list[str], today: date, wanted: Wanted, limit: int
) -> tuple[list[Listed], str]:
    """As many as a page has of those who fit, and the last number that was looked at."""
    found, seen = list[Listed](), set[str]()
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        known = await asyncio.gather(*(deps.lookups.customer(number) for number in some))
        for number, who in zip(some, known, strict=True):
            if who is None or who.stream in seen:
                continue
            seen.add(who.stream)
            one = Listed(who, answer(who.on(today), today))
            if one.fits(wanted) and await is_open(deps.journal, who):
                found.append(one)
            if len(found) == limit:
                return found, number
    return found, numbers[-1] if numbers else ""


def _said(request: Request, deps: WebDependencies, one: Listed) -> dict[str, Any]:
    """A line of the list."""
    profile = shown(request, deps.privacy, {"profile": one.who.profile})["profile"]
    return {
        "customer": one.who.stream.removeprefix("customer:"),
        "name": profile["facts"].get("name", {}).get("value"),
        "kind": one.who.profile.kind,
        "tier": one.stands.tier,
        "since": one.stands.since,
        "heading": one.stands.heading.tier if one.stands.heading else None,
        "moving": one.moving,
        "last_seen": one.who.profile.last_seen,
    }
