"""How does somebody log in whom the bank's identity provider knows?

By OpenID Connect: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0,
RFC 7636, RFC 9207). And how do they log out there too?
"""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import httpx

from domain.access.roles import ROLES, Caller
from domain.event import Role
from streams.web.security.tokens import BadToken, Keys, caller_of, own_claims, signed

KIND = "tierfold-login+jwt"
AUDIENCE = "tierfold-login"
GOOD_FOR = 600
"""Seconds between the two halves of a login."""
PATIENCE = 5.0
OK = 200
SCOPE = "openid profile"
LEAVING = "end_session_endpoint"
TYPES = ("jwt",)
"""What an ID token says that it is."""


class NotLoggedIn(ValueError):
    """A login that lets nobody in; says why, and repeats nothing of what was sent."""


class Away(Exception):
    """The identity provider does not answer as one does; says what it did, for operators."""


@dataclass(frozen=True)
class Provider:
    """The bank's identity provider, and what the console is known as there.

    The claim `name` says who somebody is, the claim `groups` in which groups; `roles` has what each
    group may be here.
    """

    issuer: str
    client: str
    secret: str
    roles: Mapping[str, Sequence[Role]]
    name: str = "sub"
    groups: str = "groups"


class Login(NamedTuple):
    """Who has logged in, when they proved who they are (seconds since 1970, UTC), and where they
    wanted to go.
    """

    caller: Caller
    proven: int
    back: str


class OpenId:
    """Logs people in at a provider, who come back to the address `callback`.

    What is between the two halves of a login is signed by a seed of 32 bytes, and kept by the
    browser alone.
    """

    def __init__(
        self,
        provider: Provider,
        callback: str,
        seed: bytes,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._provider = provider
        self._callback = callback
        self._seed = seed
        self._now = now
        # trap: a proxy of the environment would read the client's secret
        self._client = httpx.Client(timeout=PATIENCE, trust_env=False)
        self._known: dict[str, Any] = {}
        self._keys = Keys(lambda: self._read(self._endpoints()["jwks_uri"]))

    async def begin(self, back: str, *, anew: bool) -> tuple[str, str]:
        """Where to send somebody who wants to go `back`, and what their browser keeps meanwhile.

        `anew`: they have to prove who they are also where the provider knows them. Raises `Away`.
        """
        endpoints = await asyncio.to_thread(self._endpoints)
        kept = {name: token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        asked = {
            "response_type": "code",
            "client_id": self._provider.client,
            "redirect_uri": self._callback,
            "scope": SCOPE,
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": challenge(kept["verifier"]),
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if anew else {}),
        }
        claims = {
            "iss": self._callback,
            "aud": AUDIENCE,
            "sub": self._provider.client,
            "exp": int(self._now()) + GOOD_FOR,
            "back": back,
            **kept,
        }
        where = _with(endpoints["authorization_endpoint"], asked)
        return where, signed(self._seed, claims, KIND)

    async def finish(self, said: Mapping[str, str], kept: str) -> Login:
        """Who came back with what the provider `said`, given what the browser `kept`.

        Raises `NotLoggedIn`, and `Away`.
        """
        try:
            asked = own_claims(self._seed, kept, KIND, self._callback, AUDIENCE)
        except BadToken as error:
            raise NotLoggedIn("this login was not begun here, or is over") from error
        if not compare_digest(said.get("state", "").encode(), asked["state"].encode()):
            raise NotLoggedIn("this login was not begun here, or is over")
        if said.get("iss", self._provider.issuer) != self._provider.issuer:
            raise NotLoggedIn("the answer is of another identity provider")
        if "code" not in said:
            raise NotLoggedIn("the identity provider lets nobody in")
        token = await asyncio.to_thread(self._token, said["code"], asked["verifier"])
        claims = await self._claims(token)
        if not compare_digest(str(claims.get("nonce", "")).encode(), asked["nonce"].encode()):
            raise NotLoggedIn("the ID token is of another login")
        return Login(self._caller(claims), _proven(claims), asked["back"])

    async def leave(self, back: str) -> str | None:
        """Where to send somebody who wants to log out there too, and then come `back`.

        None where the provider has no such place (RP-Initiated Logout 1.0). Raises `Away`.
        """
        where = (await asyncio.to_thread(self._endpoints)).get(LEAVING)
        asked = {"client_id": self._provider.client, "post_logout_redirect_uri": back}
        return _with(where, asked) if where else None

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    async def _claims(self, token: str) -> dict[str, Any]:
        """What an ID token says (OpenID Connect Core, 3.1.3.7)."""
        provider = self._provider
        try:
            claims = await self._keys.claims(token, provider.issuer, provider.client, TYPES)
        except BadToken as error:
            raise NotLoggedIn(f"the ID token is not good: {error}") from error
        if claims.get("azp", provider.client) != provider.client:
            raise NotLoggedIn("the ID token is not good: it is for somebody else")
        return claims

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        """Who that is here, with the roles of their groups."""
        found = claims.get(self._provider.groups)
        groups = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        given = {
            role
            for group in groups
            if isinstance(group, str)
            for role in self._provider.roles.get(group, ())
        }
        if not given:
            raise NotLoggedIn("none of their groups has a role here")
        roles = [role for role in ROLES if role in given]
        try:
            return caller_of({"sub": claims.get(self._provider.name), "roles": roles})
        except BadToken as error:
            raise NotLoggedIn(f"the ID token is not good: {error}") from error

    def _token(self, code: str, verifier: str) -> str:
        """The ID token for a code (RFC 6749, 4.1.3)."""
        provider = self._provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        who, secret = (quote(each, safe="") for each in (provider.client, provider.secret))
        auth = httpx.BasicAuth(who, secret)  # form-encoded first (RFC 6749, 2.3.1)
        try:
            answer = self._client.post(self._endpoints()["token_endpoint"], data=form, auth=auth)
            if answer.status_code != OK and not _is_of_code(answer):
                raise Away(f"the token endpoint answers {answer.status_code}")
            return str(answer.raise_for_status().json()["id_token"])
        except httpx.TransportError as error:
            raise Away(f"the token endpoint: {type(error).__name__}") from error
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NotLoggedIn("the identity provider does not take this login's code") from error

    def _endpoints(self) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery 1.0), once; raises `Away`."""
        if not self._known:
            issuer = self._provider.issuer
            try:
                said = json.loads(
                    self._read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                )
                if said["issuer"] != issuer:
                    raise Away(
                        f"it calls itself {said['issuer']}, and TIERFOLD_OPENID_ISSUER {issuer}"
                    )
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                self._known = {name: str(said[name]) for name in names}
                self._known |= {LEAVING: str(said[LEAVING])} if said.get(LEAVING) else {}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise Away(f"what it says of itself cannot be read: {error!r}") from error
        return self._known

    def _read(self, url: str) -> bytes:
        """What stands at an address; raises `OSError`."""
        try:
            return self._client.get(url).raise_for_status().content
        except httpx.HTTPError as error:
            raise OSError(type(error).__name__) from error


def _is_of_code(answer: httpx.Response) -> bool:
    """Whether the provider refuses the code, and not this client or all of it (RFC 6749, 5.2)."""
    try:
        return bool(answer.json()["error"] == "invalid_grant")
    except (ValueError, KeyError, TypeError):
        return False


def _with(where: str, asked: Mapping[str, str]) -> str:
    """An address with a query, behind the one that it may have."""
    return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}"


def challenge(verifier: str) -> str:
    """What proves a verifier that is told later (RFC 7636, S256).

    >>> challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _proven(claims: Mapping[str, Any]) -> int:
    """When somebody proved who they are; long ago, where that is not said."""
    said = claims.get("auth_time")
    return said if isinstance(said, int) else 0
