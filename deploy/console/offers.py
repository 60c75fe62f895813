"""How does a manager have an offer decided at the console, and record what came of it?"""

import asyncio
from datetime import datetime
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploy.console.answers import said_by
from deploy.console.frame import (
    CONFLICT,
    CREATED,
    OK,
    PATIENCE,
    SEE_OTHER,
    Frame,
    at,
    details,
    form_of,
)
from deploy.console.pages import API, DECIDED, OFFER, grant_of, may_see, tabs
from streams.web.security.sessions import Session

LOOK_EVERY = 0.2
"""Seconds between two looks for a decision that was made just now."""
SHOWN = 3
"""Offers that are asked for."""


class Offers:
    """Asks for a decision, and records answers to it."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def offer_form(self, request: Request, session: Session) -> Response:
        """Ask for what to offer, over which channel; a page that is opened decides nothing."""
        if not may_see(session.caller, DECIDED):
            detail = f"this is for {', '.join(grant_of(DECIDED).roles)}"
            return self._frame.problem(request, session, 403, detail)
        customer = request.path_params["customer"]
        shown = {"it": {}, "path": OFFER, "name": "Offer", "customer": customer}
        return self._frame.show(
            request, session, "offer", tabs=[*tabs(session.caller, customer)], **shown
        )

    async def ask_offer(self, request: Request, session: Session) -> Response:
        """Have an offer decided, and go to the page of the decision once it is recorded."""
        channel = (await form_of(request)).get("channel", "")
        query = urlencode({"channel": channel, "limit": SHOWN})
        answer = await self._frame.deps.api.ask(session.caller, at(DECIDED, request), query)
        if answer.status != OK:
            return self._frame.problem(request, session, answer.status, details(answer))
        page = f"/decisions/{answer.said['decision']}/explanation"
        for _ in range(int(PATIENCE / LOOK_EVERY)):
            if (await self._frame.deps.api.ask(session.caller, f"{API}{page}")).status == OK:
                break
            await asyncio.sleep(LOOK_EVERY)
        return RedirectResponse(page, SEE_OTHER)

    async def answer(self, request: Request, session: Session) -> Response:
        """Record what the customer made of an offer, and show its decision again."""
        form = await form_of(request)
        event = said_by(form, session.caller, datetime.now(self._frame.deps.zone))
        if event is None:
            return self._frame.problem(request, session, 422, "")
        answer = await self._frame.deps.api.ask(
            session.caller, f"{API}/interactions", method="POST", body=event
        )
        if answer.status not in (OK, CREATED, CONFLICT):  # a conflict: it was said a moment ago
            return self._frame.problem(request, session, answer.status, details(answer))
        decision = quote(form.get("decision", ""), safe="")
        return RedirectResponse(f"/decisions/{decision}/explanation?said={form['said']}", SEE_OTHER)
