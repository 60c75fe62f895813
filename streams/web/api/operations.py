"""What do operators ask of the whole bank? How it stands, and what is in quarantine."""

import asyncio
from itertools import islice
from typing import Annotated, Any

from fastapi import FastAPI, Query, Response

from streams.queries.alerts import Away, alerts
from streams.queries.quarantine import Wanted, rows
from streams.web.dependencies import WebDependencies, as_json
from streams.web.problems import Problem

OF_SOMEBODY = ("subject", "sent_with", "id")
"""What may name a customer, and is not told to operators."""
Said = Annotated[str | None, Query(max_length=300)]


def add_operations(app: FastAPI, deps: WebDependencies) -> None:
    """Add the questions."""
    looking = asyncio.Lock()  # all of it is read: one after the other

    @app.get("/v1/operations", summary="How the bank stands: faults, outcomes, lag, the guard")
    async def operations() -> Response:
        return as_json(await deps.health.report())

    @app.get(
        "/v1/alerts",
        summary="Which alerts fire, and which did within a day, by your Prometheus",
    )
    async def fired() -> Response:
        if deps.prometheus is None:
            return as_json({"alerts": [], "prometheus": None})
        try:
            found = await asyncio.to_thread(alerts, deps.prometheus)
        except Away as error:
            raise Problem(503, f"Prometheus does not answer: {error}") from error
        said = [each._asdict() for each in found]
        return as_json({"alerts": said, "prometheus": deps.prometheus})

    @app.get(
        "/v1/quarantine",
        summary="What is in quarantine: sender, reason and the field at fault; never the content",
    )
    async def quarantine(
        source: Said = None,
        type_: Annotated[str | None, Query(alias="type", max_length=300)] = None,
        field: Said = None,
        reason: Said = None,
        every: Annotated[
            bool, Query(alias="all", description="Also what was re-driven or discarded")
        ] = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        wanted = Wanted(source, type_, field, reason)
        async with looking:
            found = await asyncio.to_thread(_some, deps, wanted, limit + 1, every=every)
        return as_json({"entries": found[:limit], "more": len(found) > limit})


def _some(
    deps: WebDependencies, wanted: Wanted, limit: int, *, every: bool
) -> list[dict[str, Any]]:
    """So many entries that have what is wanted, the oldest first."""
    fitting = (
        {name: each for name, each in row.items() if name not in OF_SOMEBODY}
        for row in rows(deps.journal)
        if (every or not row["fate"]) and wanted.holds(row)
    )
    return [*islice(fitting, limit)]
