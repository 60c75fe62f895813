"""Who is let in?

Nobody without a token, but to ask for health; and what they look at is written down.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast, get_args

import structlog
from fastapi import Request, Response
from fastapi.routing import APIRoute

from domain.access.events import DataLookedUp, Purpose
from domain.access.roles import (
    PURPOSES,
    STATES_PURPOSE,
    UNMASKED,
    Caller,
    may_name,
    may_send,
    reaches,
)
from domain.envelope import Proposed
from domain.event import Role
from domain.event_types import type_name
from domain.offers.events import Asker
from streams.ingest.signature import OURS
from streams.queries.health import REFUSED
from streams.web.problems import Problem
from streams.web.security.permissions import GRANTS, SUBJECTS, Grant
from streams.web.security.rate_limit import Rate
from streams.web.security.tokens import BadToken, Issuers, Tokens

log = structlog.get_logger()

PURPOSE = "tierfold-purpose"
"""The header that says for what somebody's data is looked at."""
STATED = {
    "name": PURPOSE,
    "in": "header",
    "required": False,
    "description": "For what; a channel must say it",
    "schema": {"type": "string", "enum": list(get_args(Purpose))},
}
SYSTEMS: tuple[Role, ...] = ("core", "channel", "operator", "modeller", "monitor")
"""Roles of machines; all others are people's, who ask less often."""
REFUSALS = {401, 403, 429}
STRANGERS = "600/minute"
"""How often one address may ask without a token that lets it in."""
TOLD = "60/minute"
"""How many refusals of one question are logged of one caller or address; all are counted."""
ManagersOf = Callable[[str], Awaitable[Collection[str]]]


@dataclass
class Access:
    """A question that a caller may ask in some roles.

    And once it is known about whom, as what they ask, and for what.
    """

    caller: Caller
    what: str
    roles: tuple[Role, ...]
    stated: str | None
    managers_of: ManagersOf
    role: Role | None = None
    streams: tuple[str, ...] = ()

    async def at(self, stream: str) -> None:
        """It is about this customer, household or company group.

        Raises a 403 where that is none of the caller's business.
        """
        for role in self._fitting():
            if reaches(
                self.caller,
                role,
                stream,
                await self.managers_of(stream) if role == "manager" else (),
            ):
                self.streams, self.role = (stream,), role
                return
        raise Problem(403, "this is no customer of yours")

    def at_book(self, manager: str) -> None:
        """It is about whom this manager looks after; raises a 403 where they are another's."""
        for role in self._fitting():
            if role != "manager" or self.caller.who == manager:
                self.role = role
                return
        raise Problem(403, "these are no customers of yours")

    def at_file(self, what: str, roles: Collection[Role], streams: Iterable[str]) -> None:
        """It takes away a file about these, of a kind that people in such roles may ask for."""
        fitting = [role for role in self._fitting() if role in roles]
        if not fitting:
            raise Problem(403, f"this is for {', '.join(roles)}")
        self.what, self.role = what, fitting[0]
        self.also(streams)

    def _fitting(self) -> list[Role]:
        """The roles in which the caller may ask for what they say that they ask for; raises a 403,
        or a 400 where it is not said and has to be.
        """
        fitting = [
            role
            for role in self.roles
            if self.stated in PURPOSES.get(role, ())
            or (self.stated is None and role not in STATES_PURPOSE)
        ]
        if not fitting:
            said = sorted({purpose for role in self.roles for purpose in PURPOSES.get(role, ())})
            raise Problem(
                403 if self.stated else 400,
                f"say for what in the header {PURPOSE}: {', '.join(said)}",
            )
        return fitting

    def also(self, streams: Iterable[str]) -> None:
        """The answer tells of these too: members of what was asked for, other numbers of a
        person.
        """
        self.streams += tuple(each for each in streams if each not in self.streams)

    async def also_at(self, streams: Iterable[str]) -> None:
        """The answer tells of these too.

        Raises a 403 where one of them is none of a manager's business.
        """
        for stream in streams:
            if self.role == "manager" and not reaches(
                self.caller, self.role, stream, await self.managers_of(stream)
            ):
                raise Problem(403, "this was one person with a customer who is none of yours")
        self.also(streams)

    @property
    def unmasked(self) -> bool:
        """Whether all is shown as it is."""
        return self.role in UNMASKED

    async def says(self, event: Proposed) -> None:
        """The caller hands in an event; raises a 403 where it is not for them to say."""
        for role in self.naming(event.source):
            if may_send(
                self.caller,
                role,
                event,
                await self.managers_of(event.stream) if role == "manager" else (),
            ):
                return
        raise Problem(
            403,
            f"{type_name(type(event.data))} is not for you to say of "
            f"{event.stream.partition(':')[0]} {event.stream.partition(':')[2]}",
        )

    def naming(self, source: str) -> list[Role]:
        """The roles in which the caller speaks for a source; raises a 403 where there is none."""
        if source.startswith(OURS):
            raise Problem(403, f"a source that begins with {OURS} is for tierfold itself")
        fitting = [role for role in self.roles if may_name(self.caller, role, source)]
        if not fitting:
            own = ", ".join(self.caller.sources or (self.caller.who,))
            raise Problem(403, f"this source is another's: yours are {own} and what is below them")
        return fitting

    def asker(self) -> Asker:
        """Who asks, for a decision that is itself the record of this look.

        Nothing else is written down of it.
        """
        assert self.role is not None
        self.streams = ()
        return Asker(who=self.caller.who, role=self.role, purpose=self._purpose(self.role))

    def events(self) -> list[DataLookedUp]:
        """What is written down of it; nothing if it was about nobody."""
        if self.role is None:
            return []
        return [
            DataLookedUp(
                who=self.caller.who,
                role=self.role,
                purpose=self._purpose(self.role),
                what=self.what,
                about=stream,
            )
            for stream in self.streams
        ]

    def _purpose(self, role: Role) -> Purpose:
        return cast("Purpose", self.stated) if self.stated else PURPOSES[role][0]


class Authorize:
    """Lets callers in, or does not; `note` writes a look down.

    `rates` are those of systems and of people, as `2000/second`.
    """

    def __init__(
        self,
        tokens: Tokens | Issuers,
        managers_of: ManagersOf,
        note: Callable[[Access], Awaitable[None]],
        rates: tuple[str, str],
    ) -> None:
        self._tokens = tokens
        self._managers_of = managers_of
        self.note = note
        self._rates = tuple(map(Rate, rates))
        self._strangers, self._told = Rate(STRANGERS), Rate(TOLD)

    async def let_in(self, request: Request, grant: Grant) -> Access:
        """The look that a request is; raises a 401, 403 or 429."""
        request.state.who = None
        caller = await self._caller(request)
        request.state.who = caller.who
        self._limited(caller)
        roles = tuple(role for role in grant.roles if role in caller.roles)
        if not roles:
            raise Problem(403, f"this is for {', '.join(grant.roles)}")
        look = Access(caller, grant.what, roles, request.headers.get(PURPOSE), self._managers_of)
        for part, kind in SUBJECTS.items():
            if part in request.path_params:
                await look.at(f"{kind}:{request.path_params[part]}")
        return look

    def refused(self, request: Request, what: str, status: int) -> None:
        """Count a refusal, and log it unless there are too many of them."""
        REFUSED.labels(status).inc()
        if self._told.allows(f"{request.state.who or _address(request)} {what}"):
            log.warning("access_denied", who=request.state.who, what=what, status=status)

    async def _caller(self, request: Request) -> Caller:
        try:
            return await self._bearer(request)
        except Problem:
            _must_allow(self._strangers, _address(request))
            raise

    async def _bearer(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(
                401,
                "a bearer token is needed: `tierfold token` makes one",
                headers={"www-authenticate": "Bearer"},
            )
        try:
            return await self._tokens.caller(token.strip())
        except BadToken as error:
            raise Problem(
                401,
                f"this token lets nobody in: {error}",
                headers={"www-authenticate": 'Bearer error="invalid_token"'},
            ) from error

    def _limited(self, caller: Caller) -> None:
        _must_allow(self._rates[not any(role in SYSTEMS for role in caller.roles)], caller.who)


def _must_allow(rate: Rate, who: str) -> None:
    if not rate.allows(who):
        raise Problem(429, f"no more than {rate.said}", headers={"retry-after": str(rate.seconds)})


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def guarded_by(gate: Authorize) -> type[APIRoute]:
    """The kind of route that lets nobody in but those who may.

    One that no grant names cannot be made.
    """

    class Guarded(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **how: Any) -> None:
            [method] = how["methods"]
            self.grant = GRANTS[method, path]
            if self.grant.roles:
                asked = (
                    [STATED]
                    if any(f"{{{part}}}" in path for part in (*SUBJECTS, "decision"))
                    else []
                )
                said = {
                    "security": [{"bearer": []}],
                    "x-roles": list(self.grant.roles),
                    "parameters": asked,
                }
                how["openapi_extra"] = {**(how.get("openapi_extra") or {}), **said}
            super().__init__(path, endpoint, **how)

        def get_route_handler(self) -> Callable[[Request], Any]:
            answer, grant = super().get_route_handler(), self.grant

            async def guarded(request: Request) -> Response:
                try:
                    request.state.look = look = await gate.let_in(request, grant)
                    response = await answer(request)
                except Problem as problem:
                    if problem.status in REFUSALS:
                        gate.refused(request, grant.what, problem.status)
                    raise
                await gate.note(look)
                return response

            return guarded if grant.roles else answer

    return Guarded
