"""Which question about restatements is answered over HTTP? What was decided, and how far it is."""

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Response

from domain.restatements.lifecycle import Restatement
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
        known = (await asyncio.to_thread(restatements, journal)).known
        return as_json({name: _counted(each) for name, each in known.items()})


def _counted(each: Restatement) -> dict[str, Any]:
    """A restatement without the names of its customers."""
    said = asdict(each)
    said["scope"]["customers"] = len(each.scope.customers)
    return said
