"""What do operators ask? Whether it is alive, whether it is ready, and for metrics."""

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

from streams.web.dependencies import WebDependencies, as_json, models_of
from streams.web.problems import answer


def add_probes(app: FastAPI, deps: WebDependencies) -> None:
    """Add health, readiness and metrics."""

    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/readyz",
        summary="Dependencies answer and lag is low",
        responses={503: {"description": "Not ready, with reasons"}},
    )
    async def readyz() -> Response:
        faults = await deps.health.faults()
        return answer(503, "; ".join(faults)) if faults else as_json({"status": "ready"})

    @app.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(
            await deps.health.metrics(
                await deps.lookups.models(models_of(deps.policies.catalogue)),
                {
                    "without_effect": len(deps.policies.idle_files()),
                    "not_adopted": len(deps.policies.not_adopted()),
                },
            ),
            media_type="text/plain; version=0.0.4; charset=utf-8",
        )
