"""How does somebody begin work that takes long, and take away what came of it?"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploy.console.frame import CREATED, OK, PATIENCE, SEE_OTHER, Frame, at, details, form_of
from deploy.console.jobs import GRAVE, wanted_by
from deploy.console.pages import API
from streams.web.security.sessions import Session

LARGEST_POLICY = 1024 * 1024
"""Bytes of a form with a policy in it."""


class Steps:
    """Begins jobs, ends them, and hands out their files."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def begin_job(self, request: Request, session: Session) -> Response:
        """Ask for what a form says, and go to its page; a form that is sent twice asks once."""
        name, asked = wanted_by(await form_of(request, LARGEST_POLICY))
        if asked["kind"] in GRAVE and not self._frame.deps.sessions.is_fresh(session):
            return self._frame.stale(request, session)
        answer = await self._frame.deps.api.ask(
            session.caller, f"{API}/jobs/{name}", method="PUT", body=asked
        )
        if answer.status != CREATED:
            return self._frame.problem(request, session, answer.status, details(answer))
        return RedirectResponse(f"/jobs/{name}?wait={PATIENCE}", SEE_OTHER)

    async def cancel_job(self, request: Request, session: Session) -> Response:
        """End a job, and show how it ended."""
        path = at("/jobs/{job}", request)
        answer = await self._frame.deps.api.ask(session.caller, path, method="DELETE")
        if answer.status != OK:
            return self._frame.problem(request, session, answer.status, details(answer))
        return RedirectResponse("/jobs", SEE_OTHER)

    async def take_file(self, request: Request, session: Session) -> Response:
        """The file of a job, to be taken away."""
        if not self._frame.deps.sessions.is_fresh(session):
            return self._frame.stale(request, session)
        answer = await self._frame.deps.api.take(session.caller, at("/jobs/{job}/file", request))
        if answer is None or answer.status_code != OK:
            status = 503 if answer is None else answer.status_code
            return self._frame.problem(request, session, status, "")
        named = {"content-disposition": answer.headers["content-disposition"]}
        return Response(answer.content, OK, named, "application/octet-stream")
