"""Who is it that asks?

A token says so: OAuth 2 bearer tokens as JWT (RFC 6750, RFC 7519, claims as in RFC 9068). The door
to PyJWT.
"""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from http.client import HTTPException
from typing import Any
from uuid import uuid4

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from domain.access.roles import ROLES, Caller
from domain.event import Identifier, Role

log = structlog.get_logger()

ALGORITHMS = ("EdDSA", "ES256", "PS256", "RS256")
"""What a token may be signed with: no shared secrets, and never nothing."""
TYPES = ("at+jwt", "jwt")
"""What an access token says that it is (RFC 9068), or says nothing of."""
REQUIRED = ["exp", "iss", "aud", "sub"]
LEEWAY = 30
"""Seconds that two clocks may differ."""
BELIEVED = 60.0
"""Seconds for which a token that was found good is not looked at again."""
KEPT = 10_000
LOOK_EVERY = 10.0
"""Seconds between two looks for keys that were not there."""
RENEW_EVERY = 300.0
"""Seconds after which keys that may be there no more are looked at again."""
LONGEST = 4096
UNNAMED = ""
"""As what a key is known that has no name; no token names it."""
NAMED: TypeAdapter[str] = TypeAdapter(Identifier)


class BadToken(ValueError):
    """A token that lets nobody in; says why, without saying what is in it."""


class Keys:
    """The keys of an issuer, in a JWK set (RFC 7517) that `read` gets."""

    def __init__(
        self, read: Callable[[], str | bytes], on_loss: Callable[[], None] = lambda: None
    ) -> None:
        self._read = read
        self._on_loss = on_loss
        self._keys: dict[str, jwt.PyJWK] = {}
        self._looked = -RENEW_EVERY
        self._looking = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    async def claims(
        self, token: str, issuer: str, audience: str, types: Sequence[str]
    ) -> dict[str, Any]:
        """What a token of one of these types says, of this issuer, for this audience; raises
        `BadToken`.
        """
        try:
            head = jwt.get_unverified_header(token)
            if str(head.get("typ", "JWT")).lower().removeprefix("application/") not in types:
                raise BadToken("it is a token for something else")
            said: dict[str, Any] = jwt.decode(
                token,
                await self._key(head.get("kid")),
                ALGORITHMS,
                {"require": REQUIRED},
                issuer=issuer,
                audience=audience,
                leeway=LEEWAY,
            )
        except jwt.PyJWTError as error:
            raise BadToken(_reason(error)) from error
        return said

    async def _key(self, name: str | None) -> jwt.PyJWK:
        """The key of this name; the only one, where a token names none (OpenID Connect Core,
        10.1).
        """
        if name not in self._keys:
            await self._renewed(LOOK_EVERY)
        elif time.monotonic() - self._looked > RENEW_EVERY and not self._looking.locked():
            self._renewing = asyncio.create_task(self._renewed(RENEW_EVERY))  # nobody waits for it
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if not name or name not in self._keys:
            raise BadToken("it is signed by a key that is not known here")
        return self._keys[name]

    async def _renewed(self, after: float) -> None:
        """Look at the keys once more, unless somebody has within so many seconds."""
        async with self._looking:
            if time.monotonic() - self._looked > after:
                before, self._keys = self._keys, await asyncio.to_thread(self._look)
                self._looked = time.monotonic()
                if before.keys() - self._keys.keys():
                    self._on_loss()

    def _look(self) -> dict[str, jwt.PyJWK]:
        """The keys by their names; as they were where nobody tells."""
        try:
            said = json.loads(self._read())["keys"]
            found = [key for key in map(_public, said) if key is not None]
        except (
            *(OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError),
        ) as error:
            log.warning("token_keys_not_read", error=type(error).__name__)
            return self._keys
        if not found:
            log.warning("token_keys_not_read", error="no key of a kind that is allowed")
        return {key.key_id or UNNAMED: key for key in found}


class Tokens:
    """Reads tokens of one issuer for one audience, by the keys in a JWK set that `read` gets."""

    def __init__(self, read: Callable[[], str | bytes], issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._good: dict[str, tuple[Caller, float]] = {}
        self._keys = Keys(read, self._good.clear)  # by a key that is there no more nobody comes in

    async def caller(self, token: str) -> Caller:
        """Whom a token speaks for; raises `BadToken`."""
        known = self._good.get(token)
        if known is not None and known[1] > time.time():
            return known[0]
        if len(token) > LONGEST:
            raise BadToken("it is too long")
        claims = await self._keys.claims(token, self._issuer, self._audience, TYPES)
        caller = caller_of(claims)
        if len(self._good) >= KEPT:
            self._good.clear()
        self._good[token] = caller, min(time.time() + BELIEVED, float(claims["exp"]) + LEEWAY)
        return caller


class Issuers:
    """Reads tokens of several issuers, each by the keys of its own; of none of them by the
    first's.
    """

    def __init__(self, first: Tokens, others: Mapping[str, Tokens]) -> None:
        self._first = first
        self._others = others

    async def caller(self, token: str) -> Caller:
        """Whom a token speaks for; raises `BadToken`."""
        return await self._others.get(_said_issuer(token), self._first).caller(token)


def _said_issuer(token: str) -> str:
    """Whose token it says it is: this chooses the keys, and proves nothing."""
    if len(token) > LONGEST:
        return ""
    try:
        said = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        return ""
    return said if isinstance(said, str) else ""


def _public(said: dict[str, Any]) -> jwt.PyJWK | None:
    """A key that signs, in a way that is allowed; others in the set are for somebody else."""
    try:
        key = (
            jwt.PyJWK(said)
            if said.get("use", "sig") == "sig" and said.get("kty") in {"OKP", "EC", "RSA"}
            else None
        )
    except jwt.PyJWTError:
        return None
    return key if key is not None and key.algorithm_name in ALGORITHMS else None


def minted(seed: bytes, issuer: str, audience: str, caller: Caller, seconds: int) -> str:
    """A token for somebody, signed with a key of our own (Ed25519, from a seed of 32 bytes), good
    for so many seconds.
    """
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": caller.who,
        "roles": list(caller.roles),
        "iat": now,
        "exp": now + seconds,
    }
    claims |= {"jti": uuid4().hex, **({"customer": caller.customer} if caller.customer else {})}
    claims |= {"sources": list(caller.sources)} if caller.sources is not None else {}
    return signed(seed, claims, "at+jwt")


def signed(seed: bytes, claims: dict[str, Any], kind: str) -> str:
    """Claims as a token of a kind (`typ`), signed with a key of our own."""
    return jwt.encode(
        claims,
        Ed25519PrivateKey.from_private_bytes(seed),
        "EdDSA",
        {"typ": kind, "kid": _jwk(seed)["kid"]},
    )


def own_claims(seed: bytes, token: str, kind: str, issuer: str, audience: str) -> dict[str, Any]:
    """The claims of a token of a kind that we have signed ourselves; raises `BadToken`."""
    try:
        if jwt.get_unverified_header(token).get("typ") != kind:
            raise BadToken("it is a token for something else")
        key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        claims: dict[str, Any] = jwt.decode(
            token, key, ["EdDSA"], {"require": REQUIRED}, issuer=issuer, audience=audience
        )
    except jwt.PyJWTError as error:
        raise BadToken(_reason(error)) from error
    return claims


def key_set(seeds: Sequence[bytes]) -> str:
    """The public keys of our own, as a JWK set."""
    return json.dumps({"keys": [_jwk(seed) for seed in seeds]})


def _jwk(seed: bytes) -> dict[str, str]:
    """A public key, under its thumbprint (RFC 7638, RFC 8037)."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    needed = {"crv": "Ed25519", "kty": "OKP", "x": _coded(public)}
    return {
        **needed,
        "alg": "EdDSA",
        "use": "sig",
        "kid": _coded(sha256(json.dumps(needed, separators=(",", ":")).encode()).digest()),
    }


def _coded(said: bytes) -> str:
    return urlsafe_b64encode(said).rstrip(b"=").decode()


def caller_of(claims: dict[str, Any]) -> Caller:
    """Whom claims speak for.

    Raises `BadToken` where the claims name no role of ours.
    """
    said = claims.get("roles")
    roles: tuple[Role, ...] = tuple(
        role for role in ROLES if isinstance(said, list) and role in said
    )
    customer = claims.get("customer")
    if not roles:
        raise BadToken("it names no role that is known here")
    if customer is not None and not isinstance(customer, str):
        raise BadToken("its customer is not a string")
    sources = claims.get("sources")
    if sources is not None and not _are_names(sources):
        raise BadToken("its sources are not a list of names")
    sources = None if sources is None else tuple(sources)
    try:
        return Caller(NAMED.validate_python(claims["sub"]), roles, customer, sources)
    except ValidationError:
        raise BadToken("its subject is no name: letters, digits and _ . - : / @ # only") from None


def _are_names(said: object) -> bool:
    return isinstance(said, list) and all(isinstance(name, str) and name for name in said)


def _reason(error: jwt.PyJWTError) -> str:
    """Why, in words that repeat nothing of the token."""
    reasons = {
        jwt.ExpiredSignatureError: "it is over",
        jwt.ImmatureSignatureError: "it is not yet good",
        jwt.InvalidAudienceError: "it is for somebody else",
        jwt.InvalidIssuerError: "it is from another issuer",
        jwt.InvalidAlgorithmError: "it is signed in a way that is not allowed",
        jwt.MissingRequiredClaimError: f"it lacks one of {', '.join(REQUIRED)}",
        jwt.InvalidSignatureError: "its signature is not good",
    }
    return next(
        (reason for kind, reason in reasons.items() if isinstance(error, kind)), "it cannot be read"
    )
