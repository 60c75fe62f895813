"""Which app shows the bank to people? Pages over the answers of the API."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from deploy.console.answers import said_by
from deploy.console.api import Answer, Api
from deploy.console.jobs import GRAVE, owned_by, wanted_by
from deploy.console.links import spend
from deploy.console.middleware import Middleware
from deploy.console.pages import (
    API,
    CUSTOMER,
    DECIDED,
    OFFER,
    PAGES,
    grant_of,
    may_see,
    places,
    tabs,
)
from deploy.console.render import render
from deploy.console.words import LANGUAGES, Words
from domain.access.roles import PURPOSES
from streams.web.security.openid import GOOD_FOR, Away, NotLoggedIn, OpenId
from streams.web.security.sessions import Session, Sessions

log = structlog.get_logger()
STATIC = Path(__file__).parent / "static"
LANGUAGE = "tierfold-language"
LARGEST = 16 * 1024
"""Bytes of a form."""
CALLBACK = "/login/callback"
"""Where the identity provider sends people back to."""
LOOPBACK = ("127.0.0.1", "::1")
LARGEST_POLICY = 1024 * 1024
"""The same, where a policy is in it."""
PATIENCE = 4
"""Seconds for which a page waits for the end of a job before it says how far that is."""
SUBJECT = re.compile("{(customer|household|company|decision|manager)}")
"""In the path of a page that shows somebody, so that a look is written down."""
LOOK_EVERY = 0.2
"""Seconds between two looks for a decision that was made just now."""
SHOWN = 3
"""Offers that are asked for."""
OK, CREATED, SEE_OTHER, CONFLICT = 200, 201, 303, 409
YEAR = 365 * 86_400


@dataclass(frozen=True)
class ConsoleDependencies:
    """What the console reaches: the API, sessions, the folder of one-use links, the bank's zone.

    `cookie` names the session's cookie: cookies of one host ignore its ports. `secure` says that
    readers come over TLS. `openid` logs in whom the bank's identity provider knows, if it has one.
    """

    api: Api
    sessions: Sessions
    links: Path
    zone: ZoneInfo
    cookie: str
    secure: bool = False
    openid: OpenId | None = None


def console(deps: ConsoleDependencies) -> ASGIApp:
    """The app, and what holds for every page of it."""
    views = _Views(deps)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await deps.api.close()
        if deps.openid is not None:
            deps.openid.close()

    app = Starlette(
        routes=[
            Route("/", views.home),
            Route("/login", views.login_form),
            Route("/login", views.log_in, methods=["POST"]),
            Route("/login/openid", views.go_to_provider),
            Route(CALLBACK, views.come_back),
            Route("/logout", views.log_out, methods=["POST"]),
            Route("/language", views.set_language, methods=["POST"]),
            Route("/customers", views.find),
            Route("/jobs", views.begin_job, methods=["POST"]),
            Route("/jobs/{job}/cancel", views.cancel_job, methods=["POST"]),
            Route("/jobs/{job}/file", views.take_file),
            Route("/managers", views.find_manager),
            Route(OFFER, views.offer_form),
            Route(OFFER, views.ask_offer, methods=["POST"]),
            Route("/answers", views.answer, methods=["POST"]),
            *(Route(path, partial(views.page, path)) for path in PAGES),
            *(Route(f"{API}{path}", partial(views.as_json, path)) for path in PAGES),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={HTTPException: views.http_problem, Exception: views.broken},
        lifespan=life,
    )
    return Middleware(app)


class _Views:
    def __init__(self, deps: ConsoleDependencies) -> None:
        self._deps = deps

    async def home(self, request: Request) -> Response:
        """Where a reader begins."""
        session = self._session(request)
        if session is None:
            return self._show(request, None, "welcome")
        return self._show(request, session, "home")

    async def login_form(self, request: Request) -> Response:
        """A button that spends the code of a link: a preview of the link spends nothing."""
        code = request.query_params.get("code", "")
        return self._show(request, None, "login" if code else "welcome", code=code)

    async def log_in(self, request: Request) -> Response:
        """Begin a session for whom the code lets in."""
        form = await _form(request)
        if request.client is None or request.client.host not in LOOPBACK:
            detail = "links open on the console's own machine alone"
            return self._problem(request, None, 403, detail)
        caller = spend(self._deps.links, form.get("code", ""))
        if caller is None:
            return self._problem(request, None, 403, "this link was used, or is over")
        session = self._deps.sessions.begin(caller)
        return self._let_in(RedirectResponse("/", SEE_OTHER), session, "link")

    async def go_to_provider(self, request: Request) -> Response:
        """Go to the bank's identity provider, to log in there."""
        if self._deps.openid is None:
            raise HTTPException(404)
        back = _inside(request.query_params.get("back", "/"))
        try:
            where, kept = await self._deps.openid.begin(back, anew="anew" in request.query_params)
        except Away as why:
            return self._away(request, why)
        answer = RedirectResponse(where, SEE_OTHER)
        answer.set_cookie(
            self._login,
            kept,
            GOOD_FOR,
            CALLBACK,
            httponly=True,
            secure=self._deps.secure,
            samesite="lax",
        )
        return answer

    async def come_back(self, request: Request) -> Response:
        """Begin a session for whom the identity provider lets in."""
        if self._deps.openid is None:
            raise HTTPException(404)
        kept = request.cookies.get(self._login, "")
        try:
            login = await self._deps.openid.finish(dict(request.query_params), kept)
        except NotLoggedIn as error:
            log.warning("not_logged_in", why=str(error))
            return self._problem(request, None, 403, str(error))
        except Away as why:
            return self._away(request, why)
        answer = RedirectResponse(login.back, SEE_OTHER)
        answer.delete_cookie(self._login, CALLBACK)
        session = self._deps.sessions.begin(login.caller, login.proven)
        return self._let_in(answer, session, "identity provider")

    async def log_out(self, request: Request) -> Response:
        """End the session, here and wherever its cookie was copied to."""
        if session := self._session(request):
            self._deps.sessions.end(session)
        answer = RedirectResponse("/", SEE_OTHER)
        answer.delete_cookie(self._deps.cookie)
        return answer

    async def set_language(self, request: Request) -> Response:
        """Show the same page in another language, now and later."""
        form = await _form(request)
        answer = RedirectResponse(_inside(form.get("back", "/")), SEE_OTHER)
        if form.get("language") in LANGUAGES:
            answer.set_cookie(
                LANGUAGE, form["language"], YEAR, httponly=True, secure=self._deps.secure
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

    async def page(self, path: str, request: Request) -> Response:
        """What the API says under the same path, for people."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        if not may_see(session.caller, path):
            roles = ", ".join(grant_of(path).roles)
            return self._problem(request, session, 403, f"this is for {roles}")
        answer, query = await self._asked(path, request, session)
        if answer.status != OK:
            return self._problem(request, session, answer.status, _details(answer))
        role = next(role for role in grant_of(path).roles if role in session.caller.roles)
        customer = request.path_params.get("customer")
        return self._show(
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
            json=f"{_at(path, request)}{'?' if query else ''}{query}",
            what=grant_of(path).what,
            purpose=PURPOSES[role][0] if role in PURPOSES and SUBJECT.search(path) else None,
            owned=owned_by(session.caller),
            patience=PATIENCE,
        )

    async def begin_job(self, request: Request) -> Response:
        """Ask for what a form says, and go to its page; a form that is sent twice asks once."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        name, asked = wanted_by(await _form(request, LARGEST_POLICY))
        if asked["kind"] in GRAVE and not self._deps.sessions.is_fresh(session):
            return self._stale(request, session)
        answer = await self._deps.api.ask(
            session.caller, f"{API}/jobs/{name}", method="PUT", body=asked
        )
        if answer.status != CREATED:
            return self._problem(request, session, answer.status, _details(answer))
        return RedirectResponse(f"/jobs/{name}?wait={PATIENCE}", SEE_OTHER)

    async def cancel_job(self, request: Request) -> Response:
        """End a job, and show how it ended."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        path = _at("/jobs/{job}", request)
        answer = await self._deps.api.ask(session.caller, path, method="DELETE")
        if answer.status != OK:
            return self._problem(request, session, answer.status, _details(answer))
        return RedirectResponse("/jobs", SEE_OTHER)

    async def take_file(self, request: Request) -> Response:
        """The file of a job, to be taken away."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        if not self._deps.sessions.is_fresh(session):
            return self._stale(request, session)
        answer = await self._deps.api.take(session.caller, _at("/jobs/{job}/file", request))
        if answer is None or answer.status_code != OK:
            status = 503 if answer is None else answer.status_code
            return self._problem(request, session, status, "")
        named = {"content-disposition": answer.headers["content-disposition"]}
        return Response(answer.content, OK, named, "application/octet-stream")

    async def offer_form(self, request: Request) -> Response:
        """Ask for what to offer, over which channel; a page that is opened decides nothing."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        if not may_see(session.caller, DECIDED):
            detail = f"this is for {', '.join(grant_of(DECIDED).roles)}"
            return self._problem(request, session, 403, detail)
        customer = request.path_params["customer"]
        shown = {"it": {}, "path": OFFER, "name": "Offer", "customer": customer}
        return self._show(
            request, session, "offer", tabs=[*tabs(session.caller, customer)], **shown
        )

    async def ask_offer(self, request: Request) -> Response:
        """Have an offer decided, and go to the page of the decision once it is recorded."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        channel = (await _form(request)).get("channel", "")
        query = urlencode({"channel": channel, "limit": SHOWN})
        answer = await self._deps.api.ask(session.caller, _at(DECIDED, request), query)
        if answer.status != OK:
            return self._problem(request, session, answer.status, _details(answer))
        page = f"/decisions/{answer.said['decision']}/explanation"
        for _ in range(int(PATIENCE / LOOK_EVERY)):
            if (await self._deps.api.ask(session.caller, f"{API}{page}")).status == OK:
                break
            await asyncio.sleep(LOOK_EVERY)
        return RedirectResponse(page, SEE_OTHER)

    async def answer(self, request: Request) -> Response:
        """Record what the customer made of an offer, and show its decision again."""
        session = self._session(request)
        if session is None:
            return self._problem(request, None, 401, "log in first")
        form = await _form(request)
        event = said_by(form, session.caller, datetime.now(self._deps.zone))
        if event is None:
            return self._problem(request, session, 422, "")
        answer = await self._deps.api.ask(
            session.caller, f"{API}/interactions", method="POST", body=event
        )
        if answer.status not in (OK, CREATED, CONFLICT):  # a conflict: it was said a moment ago
            return self._problem(request, session, answer.status, _details(answer))
        decision = quote(form.get("decision", ""), safe="")
        return RedirectResponse(f"/decisions/{decision}/explanation?said={form['said']}", SEE_OTHER)

    async def as_json(self, path: str, request: Request) -> Response:
        """What a page is made of, as the API said it; not for the links of another site."""
        session = self._session(request)
        if session is None or request.headers.get("sec-fetch-site") == "cross-site":
            return Response(status_code=401 if session is None else 403)
        answer, _ = await self._asked(path, request, session)
        return Response(answer.raw, answer.status, media_type="application/json")

    async def http_problem(self, request: Request, error: Exception) -> Response:
        """A page for what is not there, or must not be."""
        assert isinstance(error, HTTPException)
        return self._problem(request, self._session(request), error.status_code, str(error.detail))

    async def broken(self, request: Request, _error: Exception) -> Response:
        """A page for what is broken here, and was logged."""
        return self._problem(request, self._session(request), 500, "")

    async def _asked(self, path: str, request: Request, session: Session) -> tuple[Answer, str]:
        """The answer to what a page asks, and the query that was asked: without empty fields."""
        query = urlencode(
            [
                (name, _with_offset(value, self._deps.zone) if name == "recorded" else value)
                for name, value in parse_qsl(request.url.query)
            ]
        )
        return await self._deps.api.ask(session.caller, _at(path, request), query), query

    @property
    def _login(self) -> str:
        """The cookie of a login that is half done."""
        return f"{self._deps.cookie}-login"

    def _stale(self, request: Request, session: Session) -> Response:
        detail = "this needs a login of the last five minutes"
        return self._problem(request, session, 401, detail, is_stale=True)

    def _away(self, request: Request, why: Away) -> Response:
        log.warning("identity_provider_away", why=str(why))
        return self._problem(request, None, 503, "the identity provider does not answer")

    def _let_in(self, answer: Response, session: Session, by: str) -> Response:
        """Begin a session; who came in is in the log."""
        log.info("logged_in", who=session.caller.who, roles=session.caller.roles, by=by)
        self._keep(answer, session)
        return answer

    def _session(self, request: Request) -> Session | None:
        token = request.cookies.get(self._deps.cookie)
        return self._deps.sessions.read(token) if token else None

    def _keep(self, answer: Response, session: Session) -> None:
        answer.set_cookie(
            self._deps.cookie,
            self._deps.sessions.token(session),
            httponly=True,
            secure=self._deps.secure,
            samesite="lax",
        )

    def _show(
        self,
        request: Request,
        session: Session | None,
        template: str,
        status: int = 200,
        **what: Any,
    ) -> Response:
        words = Words(_language(request), self._deps.zone)
        query = f"?{request.url.query}" if request.url.query else ""
        answer = render(
            words,
            template,
            {
                "session": session,
                "openid": self._deps.openid is not None,
                "places": [*places(session.caller)] if session else [],
                "finds": session is not None and may_see(session.caller, CUSTOMER),
                "leads": session is not None and "supervisor" in session.caller.roles,
                "here": f"{request.url.path}{query}",
                **what,
            },
            status,
        )
        if session is not None:
            self._keep(answer, session)
        return answer

    def _problem(
        self,
        request: Request,
        session: Session | None,
        status: int,
        detail: str,
        *,
        is_stale: bool = False,
    ) -> Response:
        is_form = request.method != "GET"
        came_from = urlsplit(request.headers.get("referer", "/")).path if is_form else None
        here = f"{request.url.path}{'?' if request.url.query else ''}{request.url.query}"
        said = {
            "status_of": status,
            "detail": detail,
            "is_stale": is_stale,
            "back": _inside(came_from or ("/" if is_form else here)),
        }
        return self._show(request, session, "problem", status, **said)


def _at(path: str, request: Request) -> str:
    """The question of the API for a page: a number may have any sign that a name may have."""
    named = {name: quote(value, safe="") for name, value in request.path_params.items()}
    return f"{API}{path.format(**named)}"


def _details(answer: Answer) -> str:
    """What a problem says, with the fields that it names."""
    said = answer.said if isinstance(answer.said, dict) else {}
    fields = [
        f"{each.get('field', '')}: {each.get('detail', '')}" for each in said.get("errors", ())
    ]
    return "; ".join([said.get("detail", ""), *fields])


async def _form(request: Request, largest: int = LARGEST) -> Mapping[str, str]:
    """The first value of each field of a form; raises a 413 where it is too large."""
    body = b""
    async for some in request.stream():
        body += some
        if len(body) > largest:
            raise HTTPException(413)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _inside(path: str) -> str:
    """A path of this site; its beginning where it is another's."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"


def _language(request: Request) -> str:
    """What was chosen, else the first that the browser asks for and we have."""
    if (chosen := request.cookies.get(LANGUAGE)) in LANGUAGES:
        return str(chosen)
    for wanted in request.headers.get("accept-language", "").split(","):
        if (name := wanted.strip()[:2].lower()) in LANGUAGES:
            return name
    return "en"


def _with_offset(moment: str, zone: ZoneInfo) -> str:
    """A moment of a form, which is told in the bank's zone."""
    try:
        said = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return (said if said.tzinfo else said.replace(tzinfo=zone)).isoformat()
