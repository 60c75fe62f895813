"""What is around every page? Who reads it, in which language, and what went wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deploy.console.api import Answer, Api
from deploy.console.pages import API, CUSTOMER, may_see, places
from deploy.console.render import render
from deploy.console.words import LANGUAGES, Words
from streams.web.security.openid import OpenId
from streams.web.security.sessions import Session, Sessions

LANGUAGE = "tierfold-language"
"""The cookie of the language that a reader chose."""
LARGEST = 16 * 1024
"""Bytes of a form."""
PATIENCE = 4
"""Seconds for which a page waits for an end before it says how far that is."""
OK, CREATED, SEE_OTHER, CONFLICT = 200, 201, 303, 409
View = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True)
class ConsoleDependencies:
    """What the console reaches: the API, sessions, the folder of one-use links, the bank's zone.

    `cookie` names the session's cookie: cookies of one host ignore its ports. `address` is where
    readers find it. `secure` says that readers come over TLS. `openid` logs in whom the bank's
    identity provider knows, if it has one.
    """

    api: Api
    sessions: Sessions
    links: Path
    zone: ZoneInfo
    cookie: str
    address: str
    secure: bool = False
    openid: OpenId | None = None


class Frame:
    """Shows pages and problems, and knows whose session a request is of."""

    def __init__(self, deps: ConsoleDependencies) -> None:
        self.deps = deps

    def of(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        """A view for those alone who are logged in."""

        async def guarded(request: Request) -> Response:
            session = self.session(request)
            if session is None:
                return self.problem(request, None, 401, "log in first")
            return await view(request, session)

        return guarded

    def session(self, request: Request) -> Session | None:
        """Whose request this is; None for whoever is not logged in."""
        token = request.cookies.get(self.deps.cookie)
        return self.deps.sessions.read(token) if token else None

    def keep(self, answer: Response, session: Session) -> None:
        """Let a session go on, by the answer."""
        answer.set_cookie(
            self.deps.cookie,
            self.deps.sessions.token(session),
            httponly=True,
            secure=self.deps.secure,
            samesite="lax",
        )

    def show(
        self,
        request: Request,
        session: Session | None,
        template: str,
        status: int = 200,
        **what: Any,
    ) -> Response:
        """A page by its template."""
        words = Words(language_of(request), self.deps.zone)
        query = f"?{request.url.query}" if request.url.query else ""
        answer = render(
            words,
            template,
            {
                "session": session,
                "openid": self.deps.openid is not None,
                "places": [*places(session.caller)] if session else [],
                "finds": session is not None and may_see(session.caller, CUSTOMER),
                "leads": session is not None and "supervisor" in session.caller.roles,
                "here": f"{request.url.path}{query}",
                "today": datetime.now(self.deps.zone).date().isoformat(),
                **what,
            },
            status,
        )
        if session is not None:
            self.keep(answer, session)
        return answer

    def stale(self, request: Request, session: Session) -> Response:
        """The page of a session that has to be proven anew."""
        detail = "this needs a login of the last five minutes"
        return self.problem(request, session, 401, detail, is_stale=True)

    def problem(
        self,
        request: Request,
        session: Session | None,
        status: int,
        detail: str,
        *,
        is_stale: bool = False,
    ) -> Response:
        """The page of a problem, with the way back."""
        is_form = request.method != "GET"
        came_from = urlsplit(request.headers.get("referer", "/")).path if is_form else None
        here = f"{request.url.path}{'?' if request.url.query else ''}{request.url.query}"
        said = {
            "status_of": status,
            "detail": detail,
            "is_stale": is_stale,
            "back": inside(came_from or ("/" if is_form else here)),
        }
        return self.show(request, session, "problem", status, **said)


def at(path: str, request: Request) -> str:
    """The question of the API for a page: a number may have any sign that a name may have."""
    named = {name: quote(value, safe="") for name, value in request.path_params.items()}
    return f"{API}{path.format(**named)}"


def details(answer: Answer) -> str:
    """What a problem says, with the fields that it names."""
    said = answer.said if isinstance(answer.said, dict) else {}
    fields = [
        f"{each.get('field', '')}: {each.get('detail', '')}" for each in said.get("errors", ())
    ]
    return "; ".join([said.get("detail", ""), *fields])


async def form_of(request: Request, largest: int = LARGEST) -> Mapping[str, str]:
    """The first value of each field of a form; raises a 413 where it is too large."""
    body = b""
    async for some in request.stream():
        body += some
        if len(body) > largest:
            raise HTTPException(413)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def inside(path: str) -> str:
    """A path of this site; its beginning where it is another's."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"


def language_of(request: Request) -> str:
    """What was chosen, else the first that the browser asks for and we have."""
    if (chosen := request.cookies.get(LANGUAGE)) in LANGUAGES:
        return str(chosen)
    for wanted in request.headers.get("accept-language", "").split(","):
        if (name := wanted.strip()[:2].lower()) in LANGUAGES:
            return name
    return "en"
