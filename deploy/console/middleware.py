"""What holds for every page?

Nothing is framed, cached, or loaded from elsewhere; and only our own pages change anything. Plain
ASGI.
"""

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.web.security.sessions import is_own

log = structlog.get_logger()

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
]


class Middleware:
    """Refuses what comes from other sites, and adds to what goes out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def answered(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        ours = is_own(scope["method"], Headers(scope=scope))
        refused = PlainTextResponse("This came from another site, and nothing was done.\n", 403)
        try:
            await (self._app if ours else refused)(scope, receive, answered)
        except Exception:
            log.exception("page_broken")
            if not begun:
                broken = PlainTextResponse("Something is broken here, and was logged.\n", 500)
                await broken(scope, receive, answered)
