"""Who sits at the console?

A session says so: a token of our own in a cookie, good for the console and for no other door. It is
over after half an hour without a page, and after eight hours in any case.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from domain.access.roles import Caller
from streams.web.security.tokens import BadToken, caller_of, own_claims, signed

KIND = "tierfold-session+jwt"
AUDIENCE = "tierfold-console"
IDLE = 1_800
LONGEST = 8 * 3_600
FRESH = 300
"""Seconds."""


@dataclass(frozen=True)
class Session:
    """Who has logged in, when, and when they have proven who they are (seconds since 1970, UTC)."""

    caller: Caller
    began: int
    proven: int
    id: str


class Sessions:
    """Begins, reads and ends sessions, signed by a seed of 32 bytes under an issuer's name.

    The folder `ended` has a file for each that was ended, until it would be over in any case.
    """

    def __init__(
        self, seed: bytes, issuer: str, ended: Path, now: Callable[[], float] = time.time
    ) -> None:
        self._seed = seed
        self._issuer = issuer
        self._ended = ended
        self._now = now

    def begin(self, caller: Caller, proven: int | None = None) -> Session:
        """A session of somebody who has just proven who they are, or did so at another time."""
        now = int(self._now())
        return Session(caller, now, now if proven is None else min(proven, now), uuid4().hex)

    def token(self, session: Session) -> str:
        """What the cookie holds, good from now on."""
        now = int(self._now())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": session.caller.who,
            "roles": list(session.caller.roles),
            "jti": session.id,
            "began": session.began,
            "auth_time": session.proven,
            "exp": min(now + IDLE, session.began + LONGEST),
        }
        return signed(self._seed, claims, KIND)

    def read(self, token: str) -> Session | None:
        """The session of a cookie; None where it is over, was ended, or is none of ours."""
        try:
            claims = own_claims(self._seed, token, KIND, self._issuer, AUDIENCE)
            began, proven = int(claims["began"]), int(claims["auth_time"])
            session = Session(caller_of(claims), began, proven, str(claims["jti"]))
        except (BadToken, KeyError, ValueError, TypeError):
            return None
        is_over = claims["exp"] <= self._now() or (self._ended / session.id).exists()
        return None if is_over else session

    def is_fresh(self, session: Session) -> bool:
        """Whether somebody has proven a moment ago who they are."""
        return self._now() - session.proven <= FRESH

    def end(self, session: Session) -> None:
        """Let nobody in by this session any more."""
        self._ended.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in self._ended.iterdir():
            if file.stat().st_mtime < self._now() - LONGEST:
                file.unlink(missing_ok=True)
        (self._ended / session.id).touch()


def is_own(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may change something: it comes from a page of this very site.

    By Fetch Metadata where the browser sends it, else by `Origin`, which must be our own host.
    """
    if method in ("GET", "HEAD"):
        return True
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    try:
        return urlsplit(headers["origin"]).netloc == headers["host"]
    except (KeyError, ValueError):
        return False
