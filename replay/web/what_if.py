"""Which question of a tier owner is answered over HTTP?

Who would move under other policies; nothing is changed.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Annotated, Any

from fastapi import Body, FastAPI, Response

from domain.tiering.policy import TierPolicy
from replay.rebuild.workers import pool
from replay.what_if.columns import BadColumns
from replay.what_if.compare import Comparison
from streams.web.dependencies import as_json
from streams.web.problems import Problem, problems

Candidates = Annotated[
    list[TierPolicy], Body(min_length=1, max_length=10, description="Tier policies to try")
]
UNGATHERED = problems({409: "The facts have to be gathered first"})
WAITING = 4
"""Questions that wait for the one that is answered."""


def add_what_if(app: FastAPI, compared: Callable[[Sequence[TierPolicy]], list[Comparison]]) -> None:
    """Add the question.

    `compared` answers it in a process of its own, one at a time, so that lookups do not wait.
    Raises `BadColumns` there.
    """
    busy = asyncio.Lock()
    waiting = 0

    @app.post(
        "/v1/what-if",
        summary=(
            "Who would move under other policies, over the facts that were gathered last; nothing "
            "is changed"
        ),
        responses=UNGATHERED,
    )
    async def what_if(candidates: Candidates) -> Response:
        nonlocal waiting
        if waiting > WAITING:
            raise Problem(503, "others are trying policies just now; try again")
        waiting += 1
        try:
            async with busy:
                processes = pool(1)
                try:
                    found = await asyncio.wrap_future(processes.submit(compared, candidates))
                finally:
                    processes.shutdown(wait=False)
        except BrokenProcessPool as error:
            raise Problem(
                503, "the process that tried the policies was ended; try again"
            ) from error
        except BadColumns as error:
            raise Problem(
                409, f"{error}: gather the facts again, with `tierfold replay facts`"
            ) from error
        finally:
            waiting -= 1
        return as_json([without_names(each) for each in found])


def without_names(found: Comparison) -> dict[str, Any]:
    """A comparison as a tier owner sees it over HTTP: how many move, not who."""
    return {
        **vars(found),
        "movers": [{**vars(each), "customer": None, "whole": None} for each in found.movers],
        "digest": found.digest,
    }
