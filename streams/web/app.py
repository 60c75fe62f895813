"""Which app answers over HTTP? The gate, routes and problems, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig

from projections.redis import RedisError
from streams.journal import Newer
from streams.observability.stalls import stalls_told
from streams.publish.adoption import warn_of_idle_files
from streams.web.api.customers import add_customers
from streams.web.api.households import add_households
from streams.web.api.interactions import add_interactions
from streams.web.api.managers import add_managers
from streams.web.api.models import add_models
from streams.web.api.offers import add_offers
from streams.web.api.operations import add_operations
from streams.web.api.outcomes import add_outcomes
from streams.web.api.probes import add_probes
from streams.web.api.timeline import add_timeline
from streams.web.dependencies import WebDependencies, as_json
from streams.web.middleware import Middleware
from streams.web.problems import STATUSES, add_problems, answer, problems
from streams.web.recording import Recording
from streams.web.security.authorize import Authorize, guarded_by

log = structlog.get_logger()
NO_SPANS: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""The framework's own spans would have paths in them, and with these the customers' numbers.

See `Middleware`.
"""
CURRENT = 1.0
"""Seconds after which it is looked again at what is live, though nobody asks."""
LAST_WORDS = 5.0
"""Seconds that decisions still on their way are waited for at the end."""


async def _kept_current(deps: WebDependencies) -> None:
    """Look again and again at what is live, and tell of files that have no effect.

    Whatever breaks, read models or journal: what was live holds on until they answer again.
    """
    told, fails = list[str](), False
    while True:
        try:
            await deps.register.live()
            fails = False
        except Exception as error:  # noqa: BLE001 - each database has errors of its own
            if not fails:
                log.warning("not_kept_current", error=type(error).__name__)
            fails = True
        if (idle := deps.policies.idle_files()) != told:
            told = idle
            warn_of_idle_files(deps.policies)
        await asyncio.sleep(CURRENT)


def web(deps: WebDependencies) -> FastAPI:
    """The app; it describes itself at `/openapi.json`."""
    recording = Recording(deps)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        current = asyncio.create_task(_kept_current(deps))
        with stalls_told(asyncio.get_running_loop()) if deps.tell_stalls else nullcontext():
            yield
        current.cancel()
        recording.flush()
        await asyncio.to_thread(deps.producer.close, LAST_WORDS)
        await deps.store.close()

    about = (
        "Tiers, folded from history: lookups and the front door. Nobody is answered without a "
        "token, but who asks for health."
    )
    app = FastAPI(
        title="tierfold",
        description=about,
        version="1",
        lifespan=life,
        responses=problems(STATUSES),
        openapi_url=None,
        telemetry=NO_SPANS,
    )
    app.router.route_class = guarded_by(
        Authorize(deps.tokens, deps.lookups.managers, recording.looked, deps.rates)
    )
    add_problems(app)
    add_customers(app, deps)
    add_households(app, deps)
    add_managers(app, deps)
    add_timeline(app, deps)
    add_offers(app, deps, recording)
    add_models(app, deps)
    add_interactions(app, deps)
    add_outcomes(app, deps)
    add_probes(app, deps)
    add_operations(app, deps)

    @app.get("/openapi.json", summary="Every question, who may ask it, and how it is answered")
    async def openapi() -> Response:
        said = app.openapi()
        said.setdefault("components", {})["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
        return as_json(said)

    @app.exception_handler(RedisError)
    async def unavailable(_request: Request, _error: RedisError) -> JSONResponse:
        return answer(503, "the read models are not reachable; try again")

    @app.exception_handler(TimeoutError)
    async def hanging(_request: Request, _error: TimeoutError) -> JSONResponse:
        return answer(503, "the read models do not answer; try again")

    @app.exception_handler(Newer)
    async def older(_request: Request, error: Newer) -> JSONResponse:
        return answer(503, str(error))

    app.add_middleware(Middleware)
    return app
