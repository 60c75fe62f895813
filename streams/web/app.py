"""Which app answers over HTTP? Routes, problems and timing, put together."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from projections.redis import RedisError
from streams.health import LATENCY
from streams.web.customers import add_customers
from streams.web.doors import Doors
from streams.web.interactions import add_interactions
from streams.web.offers import add_offers
from streams.web.probes import add_probes
from streams.web.problems import add_problems, answer
from streams.web.wholes import add_wholes

LAST_WORDS = 5.0
"""Seconds that decisions still on their way are waited for at the end."""


class Timed:
    """How long each route takes to answer. Plain ASGI: what frameworks wrap around a request costs more than most answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note how long it took until the answer was out."""
        start = time.perf_counter()

        async def timed(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body") and (route := scope.get("route")):
                LATENCY.labels(route.path).observe(time.perf_counter() - start)

        await self._app(scope, receive, timed if scope["type"] == "http" else send)


def web(doors: Doors) -> FastAPI:
    """The app; OpenAPI at `/docs`."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        decisions.flush()
        await asyncio.to_thread(doors.courier.close, LAST_WORDS)
        await doors.store.close()

    app = FastAPI(title="tierfold", description="Tiers, folded from history: lookups and the front door.", version="1", lifespan=life)
    add_problems(app)
    add_customers(app, doors)
    add_wholes(app, doors)
    decisions = add_offers(app, doors)
    add_interactions(app, doors)
    add_probes(app, doors)

    @app.exception_handler(RedisError)
    async def unavailable(_request: Request, _error: RedisError) -> JSONResponse:
        return answer(503, "the read models are not reachable; try again")

    app.add_middleware(Timed)
    return app
