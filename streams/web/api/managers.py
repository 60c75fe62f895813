"""Which questions about relationship managers are answered? Whom each looks after."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import FastAPI, Path, Query, Request, Response

from domain.event import NAME
from projections.managers.book import Book
from projections.views.customer import Customer
from projections.views.tier import Answer, answer
from streams.web.api.customers import is_open
from streams.web.dependencies import WebDependencies, as_json
from streams.web.security.masking import shown

ManagerId = Annotated[
    str, Path(pattern=f"^{NAME}$", description="The manager's number, without `manager:`")
]
AT_ONCE = 50
"""Customers that are read in one go."""
MOST = 1_000
"""Customers that are looked through for one page."""
Moving = Literal["rising", "falling", "missing"]


class Wanted(NamedTuple):
    """Which customers of a book are asked for: by the beginning of the name as it is shown, a tier,
    and how they move.
    """

    name: str | None = None
    tier: str | None = None
    moving: Moving | None = None


class Listed(NamedTuple):
    """A customer, what they are called as far as it is shown, and how they stand."""

    who: Customer
    name: str | None
    stands: Answer

    def fits(self, wanted: Wanted) -> bool:
        """Whether this one is asked for."""
        return wanted.tier in (None, self.stands.tier) and wanted.moving in (None, self.moving)

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
        manager: ManagerId,
        request: Request,
        name: Annotated[
            str | None,
            Query(min_length=1, max_length=100, description="How the name begins, as it is shown"),
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
        numbers = sorted(each.removeprefix("customer:") for each in book.customers)
        left = [number for number in numbers if number > after]
        reading = _Reading(deps, request, f"manager:{manager}", book)
        found, reached = await reading.page(left[:MOST], Wanted(name, tier, moving), limit)
        for one in found:
            request.state.look.also(one.who.numbers or (one.who.stream,))
        return as_json(
            {
                "manager": manager,
                "count": len(numbers),
                "customers": [_said(one) for one in found],
                "next": reached if reached != (left[-1] if left else "") else None,
            }
        )


class _Reading(NamedTuple):
    """Reads a manager's book, for whoever asks."""

    deps: WebDependencies
    request: Request
    manager: str
    book: Book

    async def page(
        self, numbers: list[str], wanted: Wanted, limit: int
    ) -> tuple[list[Listed], str]:
        """As many as a page has of those who fit, and the last number that was looked at."""
        found = list[Listed]()
        for start in range(0, len(numbers), AT_ONCE):
            some = numbers[start : start + AT_ONCE]
            known = await asyncio.gather(*map(self.deps.lookups.customer, some))
            for number, who in zip(some, known, strict=True):
                await asyncio.sleep(0)  # a channel that asks meanwhile goes first
                if who is not None and self._is_theirs(who, number):
                    found += await self._listed(who, wanted)
                if len(found) == limit:
                    return found, number
        return found, numbers[-1] if numbers else ""

    def _is_theirs(self, who: Customer, number: str) -> bool:
        """Whether the manager looks after them by what is known now, and this is the first of
        their numbers in the book.
        """
        here = [each for each in who.numbers or (who.stream,) if each in self.book.customers]
        return self.manager in who.managers and f"customer:{number}" == min(here, default="")

    async def _listed(self, who: Customer, wanted: Wanted) -> list[Listed]:
        """A customer, if this one is asked for and may be told of."""
        profile = shown(self.request, self.deps.privacy, {"profile": who.profile})["profile"]
        name = profile["facts"].get("name", {}).get("value")
        if wanted.name is not None and not str(name).startswith(wanted.name):
            return []
        today = datetime.now(self.deps.zone).date()
        one = Listed(who, name, answer(who.on(today), today))
        return [one] if one.fits(wanted) and await is_open(self.deps.journal, who) else []


def _said(one: Listed) -> dict[str, Any]:
    """A line of the list."""
    heading = one.stands.heading.tier if one.stands.heading else None
    return {
        "customer": one.who.stream.removeprefix("customer:"),
        "name": one.name,
        "kind": one.who.profile.kind,
        "tier": one.stands.tier,
        "since": one.stands.since,
        "heading": heading,
        "moving": one.moving,
        "falls_on": one.stands.outlook.falls_on if one.moving in ("falling", "missing") else None,
        "last_seen": one.who.profile.last_seen,
        "tiers": {
            tier: one.stands.tiers[tier]
            for tier in (one.stands.tier, heading)
            if tier in one.stands.tiers
        },
    }
