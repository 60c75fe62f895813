"""Which app shows the bank to people? Pages over the answers of the API."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from deploy.console.api import Answer
from deploy.console.frame import (
    LANGUAGE,
    OK,
    PATIENCE,
    SEE_OTHER,
    ConsoleDependencies,
    Frame,
    at,
    details,
    form_of,
    inside,
)
from deploy.console.jobs import owned_by
from deploy.console.logins import CALLBACK, Logins
from deploy.console.middleware import Middleware
from deploy.console.offers import Offers
from deploy.console.pages import API, OFFER, PAGES, grant_of, may_see, tabs
from deploy.console.steps import Steps
from deploy.console.words import LANGUAGES
from domain.access.roles import PURPOSES
from streams.web.security.sessions import Session

STATIC = Path(__file__).parent / "static"
SUBJECT = re.compile("{(customer|household|company|decision|manager)}")
"""In the path of a page that shows somebody, so that a look is written down."""
MOMENTS = ("recorded", "before_recorded")
"""What a form asks in the bank's time."""
YEAR = 365 * 86_400


def console(deps: ConsoleDependencies) -> ASGIApp:
    """The app, and what holds for every page of it."""
    frame = Frame(deps)
    views, logins, steps, offers = _Views(frame), Logins(frame), Steps(frame), Offers(frame)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await deps.api.close()
        if deps.openid is not None:
            deps.openid.close()

    app = Starlette(
        routes=[
            Route("/", views.home),
            Route("/healthz", views.alive),
            Route("/login", logins.login_form),
            Route("/login", logins.log_in, methods=["POST"]),
            Route("/login/openid", logins.go_to_provider),
            Route(CALLBACK, logins.come_back),
            Route("/logout", logins.log_out, methods=["POST"]),
            Route("/logout/openid", logins.leave_provider),
            Route("/language", views.set_language, methods=["POST"]),
            Route("/customers", views.find),
            Route("/jobs", frame.of(steps.begin_job), methods=["POST"]),
            Route("/jobs/{job}/cancel", frame.of(steps.cancel_job), methods=["POST"]),
            Route("/jobs/{job}/file", frame.of(steps.take_file)),
            Route("/managers", views.find_manager),
            Route(OFFER, frame.of(offers.offer_form)),
            Route(OFFER, frame.of(offers.ask_offer), methods=["POST"]),
            Route("/answers", frame.of(offers.answer), methods=["POST"]),
            *(Route(path, frame.of(partial(views.page, path))) for path in PAGES),
            *(Route(f"{API}{path}", partial(views.as_json, path)) for path in PAGES),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={HTTPException: views.http_problem, Exception: views.broken},
        lifespan=life,
    )
    return Middleware(app)


class _Views:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def home(self, request: Request) -> Response:
        """Where a reader begins."""
        session = self._frame.session(request)
        if session is None:
            return self._frame.show(request, None, "welcome")
        return self._frame.show(request, session, "home")

    async def alive(self, _request: Request) -> Response:
        """Whether the console answers; it is asked nothing else without a session."""
        return Response("alive", media_type="text/plain")

    async def set_language(self, request: Request) -> Response:
        """Show the same page in another language, now and later."""
        form = await form_of(request)
        answer = RedirectResponse(inside(form.get("back", "/")), SEE_OTHER)
        if form.get("language") in LANGUAGES:
            answer.set_cookie(
                LANGUAGE, form["language"], YEAR, httponly=True, secure=self._frame.deps.secure
            )
        return answer

    async def find(self, request: Request) -> Response:
        """Go to the customer of a number."""
        number = request.query_params.get("number", "").strip().removeprefix("customer:")
        return RedirectResponse(f"/customers/{quote(number, safe='')}" if number else "/")

    async def find_manager(self, request: Request) -> Response:
        """Go to the customers of a manager."""
        name = request.query_params.get("name", "").strip().removeprefix("manager:")
        return RedirectResponse(f"/managers/{quote(name, safe='')}/customers" if name else "/")

    async def page(self, path: str, request: Request, session: Session) -> Response:
        """What the API says under the same path, for people."""
        if not may_see(session.caller, path):
            roles = ", ".join(grant_of(path).roles)
            return self._frame.problem(request, session, 403, f"this is for {roles}")
        answer, query = await self._asked(path, request, session)
        if answer.status != OK:
            return self._frame.problem(request, session, answer.status, details(answer))
        role = next(role for role in grant_of(path).roles if role in session.caller.roles)
        customer = request.path_params.get("customer")
        return self._frame.show(
            request,
            session,
            PAGES[path].template,
            it=answer.said,
            path=path,
            name=PAGES[path].name,
            query=dict(request.query_params),
            customer=customer,
            tabs=[*tabs(session.caller, customer)] if customer else [],
            may={each for each in PAGES if may_see(session.caller, each)},
            json=f"{at(path, request)}{'?' if query else ''}{query}",
            what=grant_of(path).what,
            purpose=PURPOSES[role][0] if role in PURPOSES and SUBJECT.search(path) else None,
            owned=owned_by(session.caller),
            patience=PATIENCE,
        )

    async def as_json(self, path: str, request: Request) -> Response:
        """What a page is made of, as the API said it; not for the links of another site."""
        session = self._frame.session(request)
        if session is None or request.headers.get("sec-fetch-site") == "cross-site":
            return Response(status_code=401 if session is None else 403)
        answer, _ = await self._asked(path, request, session)
        return Response(answer.raw, answer.status, media_type="application/json")

    async def http_problem(self, request: Request, error: Exception) -> Response:
        """A page for what is not there, or must not be."""
        assert isinstance(error, HTTPException)
        return self._frame.problem(
            request, self._frame.session(request), error.status_code, str(error.detail)
        )

    async def broken(self, request: Request, _error: Exception) -> Response:
        """A page for what is broken here, and was logged."""
        return self._frame.problem(request, self._frame.session(request), 500, "")

    async def _asked(self, path: str, request: Request, session: Session) -> tuple[Answer, str]:
        """The answer to what a page asks, and the query that was asked: without empty fields."""
        query = urlencode(
            [
                (name, _with_offset(value, self._frame.deps.zone) if name in MOMENTS else value)
                for name, value in parse_qsl(request.url.query)
            ]
        )
        return await self._frame.deps.api.ask(session.caller, at(path, request), query), query


def _with_offset(moment: str, zone: ZoneInfo) -> str:
    """A moment of a form, which is told in the bank's zone."""
    try:
        said = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return (said if said.tzinfo else said.replace(tzinfo=zone)).isoformat()
