"""What holds for every answer?

No body is too large, nothing is cached or framed, its time is taken, and it says under which trace
it came about.

Plain ASGI: what frameworks wrap around a request costs more than most answers.
"""

import time

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.observability.tracing import (
    ANSWERED_WITH,
    HEADER,
    Span,
    SpanKind,
    describe,
    span,
    traceparent_of,
)
from streams.queries.health import LATENCY
from streams.web.problems import answer

log = structlog.get_logger()

HEADER_BYTES = HEADER.encode()
BODY_LIMIT = 4 * 1024 * 1024
HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
]
"""As the OWASP REST security cheat sheet has them."""


class Middleware:
    """Bounds what comes in, and adds to what goes out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note how long it took until the answer was out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = [
            value.decode("latin-1") for name, value in scope["headers"] if name == HEADER_BYTES
        ] or [""]
        with span(scope["method"], said, SpanKind.SERVER) as begun:
            await self._answer(scope, receive, send, begun)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, begun: Span) -> None:
        start, size, status = time.perf_counter(), 0, 0
        under = (ANSWERED_WITH, traceparent_of(begun.get_span_context()).encode())

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_LIMIT:
                raise HTTPException(413, f"the body is larger than {BODY_LIMIT} bytes")
            return message

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS, under]
                status = message["status"]
            await send(message)
            if (
                message["type"] == "http.response.body"
                and not message.get("more_body")
                and (route := scope.get("route"))
            ):
                seconds = time.perf_counter() - start
                LATENCY.labels(route.path).observe(seconds)
                describe(begun, scope["method"], route.path, status)
                log.debug(
                    "answered",
                    what=f"{scope['method']} {route.path}",
                    status=status,
                    seconds=round(seconds, 4),
                )

        try:
            await self._app(scope, bounded, answered)
        except Exception:
            if status:
                raise
            log.exception("not_answered", what=scope["method"])
            await answer(500, "something is broken here, and was logged")(scope, receive, answered)
