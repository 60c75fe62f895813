"""Which question about restatements is answered over HTTP? What was decided, and how far it is."""

import asyncio

from fastapi import FastAPI, Response

from streams.folds.restatements import restatements
from streams.journal import Journal
from streams.web.dependencies import as_json


def add_restatements(app: FastAPI, journal: Journal) -> None:
    """Add it; it names months, sources and who decided, and counts customers."""

    @app.get(
        "/v1/restatements",
        summary="What was decided of each restatement of closed months, and how far it is",
    )
    async def all_restatements() -> Response:
        return as_json(await asyncio.to_thread(restatements, journal))
