"""Which app answers over HTTP? Routes, problems and timing, put together."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from projections.redis import RedisError
from streams.health import LATENCY
from streams.web.customers import add_customers
from streams.web.doors import Doors
from streams.web.interactions import add_interactions
from streams.web.probes import add_probes
from streams.web.problems import add_problems, answer
from streams.web.wholes import add_wholes

LAST_WORDS = 5.0
"""Seconds that decisions still on their way are waited for at the end."""


def web(doors: Doors) -> FastAPI:
    """The app; OpenAPI at `/docs`."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(doors.courier.close, LAST_WORDS)
        await doors.store.close()

    app = FastAPI(title="tierfold", description="Tiers, folded from history: lookups and the front door.", version="1", lifespan=life)
    add_problems(app)
    add_customers(app, doors)
    add_wholes(app, doors)
    add_interactions(app, doors)
    add_probes(app, doors)

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
