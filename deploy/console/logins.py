"""How does somebody come in, and go? By a link or the bank's identity provider."""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploy.console.frame import SEE_OTHER, Frame, form_of, inside
from deploy.console.links import spend
from streams.web.security.openid import GOOD_FOR, Away, NotLoggedIn
from streams.web.security.sessions import Session

log = structlog.get_logger()
CALLBACK = "/login/callback"
"""Where the identity provider sends people back to."""
LOOPBACK = ("127.0.0.1", "::1")


class Logins:
    """The ways in, and the way out."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def login_form(self, request: Request) -> Response:
        """A button that spends the code of a link: a preview of the link spends nothing."""
        code = request.query_params.get("code", "")
        return self._frame.show(request, None, "login" if code else "welcome", code=code)

    async def log_in(self, request: Request) -> Response:
        """Begin a session for whom the code lets in."""
        form = await form_of(request)
        if request.client is None or request.client.host not in LOOPBACK:
            detail = "links open on the console's own machine alone"
            return self._frame.problem(request, None, 403, detail)
        caller = spend(self._frame.deps.links, form.get("code", ""))
        if caller is None:
            return self._frame.problem(request, None, 403, "this link was used, or is over")
        session = self._frame.deps.sessions.begin(caller)
        return self._let_in(RedirectResponse("/", SEE_OTHER), session, "link")

    async def go_to_provider(self, request: Request) -> Response:
        """Go to the bank's identity provider, to log in there."""
        if self._frame.deps.openid is None:
            raise HTTPException(404)
        back = inside(request.query_params.get("back", "/"))
        try:
            where, kept = await self._frame.deps.openid.begin(
                back, anew="anew" in request.query_params
            )
        except Away as why:
            return self._away(request, why)
        answer = RedirectResponse(where, SEE_OTHER)
        answer.set_cookie(
            self._login,
            kept,
            GOOD_FOR,
            CALLBACK,
            httponly=True,
            secure=self._frame.deps.secure,
            samesite="lax",
        )
        return answer

    async def come_back(self, request: Request) -> Response:
        """Begin a session for whom the identity provider lets in."""
        if self._frame.deps.openid is None:
            raise HTTPException(404)
        kept = request.cookies.get(self._login, "")
        try:
            login = await self._frame.deps.openid.finish(dict(request.query_params), kept)
        except NotLoggedIn as error:
            log.warning("not_logged_in", why=str(error))
            return self._frame.problem(request, None, 403, str(error))
        except Away as why:
            return self._away(request, why)
        answer = RedirectResponse(login.back, SEE_OTHER)
        answer.delete_cookie(self._login, CALLBACK)
        session = self._frame.deps.sessions.begin(login.caller, login.proven)
        return self._let_in(answer, session, "identity provider")

    async def log_out(self, request: Request) -> Response:
        """End the session, here and wherever its cookie was copied to."""
        if session := self._frame.session(request):
            self._frame.deps.sessions.end(session)
        answer = RedirectResponse("/", SEE_OTHER)
        answer.delete_cookie(self._frame.deps.cookie)
        return answer

    async def leave_provider(self, request: Request) -> Response:
        """Go and log out at the identity provider too, and come back; at once where that has no
        place for it. Here one has logged out before: a link ends nothing.
        """
        if self._frame.deps.openid is None:
            raise HTTPException(404)
        try:
            where = await self._frame.deps.openid.leave(f"{self._frame.deps.address}/")
        except Away as why:
            return self._away(request, why)
        return RedirectResponse(where or "/", SEE_OTHER)

    @property
    def _login(self) -> str:
        """The cookie of a login that is half done."""
        return f"{self._frame.deps.cookie}-login"

    def _away(self, request: Request, why: Away) -> Response:
        log.warning("identity_provider_away", why=str(why))
        return self._frame.problem(request, None, 503, "the identity provider does not answer")

    def _let_in(self, answer: Response, session: Session, by: str) -> Response:
        """Begin a session; who came in is in the log."""
        log.info("logged_in", who=session.caller.who, roles=session.caller.roles, by=by)
        self._frame.keep(answer, session)
        return answer
