"""A session is believed while it lasts, at the console and nowhere else."""

import os
import time
from pathlib import Path

import jwt
import pytest

from domain.access.roles import Caller
from streams.web.security.sessions import AUDIENCE, IDLE, KIND, LONGEST, Sessions, is_own
from streams.web.security.tokens import BadToken, Tokens, key_set, minted

LI = Caller("li", ("supervisor", "auditor"))
SEED = os.urandom(32)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that begins now."""
    return Clock()


def test_a_session_lasts_while_pages_are_opened_and_eight_hours_at_most(
    clock: Clock, tmp_path: Path
) -> None:
    """Half an hour without a page ends it; so do eight hours of pages."""
    sessions = Sessions(SEED, "tierfold", tmp_path, clock)
    session = sessions.begin(LI)
    token = sessions.token(session)
    assert sessions.read(token) == session
    clock.now += IDLE + 1
    assert sessions.read(token) is None

    session, steps = sessions.begin(LI), 0
    while (found := sessions.read(sessions.token(session))) is not None:
        assert found.caller == LI
        clock.now += IDLE - 60
        steps += 1
    assert steps == LONGEST // (IDLE - 60) + 1


def test_a_session_that_was_ended_is_over_wherever_its_cookie_was_copied_to(
    clock: Clock, tmp_path: Path
) -> None:
    """Others go on."""
    sessions = Sessions(SEED, "tierfold", tmp_path, clock)
    mine, others = sessions.begin(LI), sessions.begin(LI)
    sessions.end(mine)

    assert sessions.read(sessions.token(mine)) is None
    again = Sessions(SEED, "tierfold", tmp_path, clock)
    assert again.read(sessions.token(mine)) is None, "also behind a start anew"
    assert sessions.read(sessions.token(others)) == others


async def test_a_session_opens_no_other_door_and_no_token_is_a_session(
    tmp_path: Path,
) -> None:
    """Not by the same key either."""
    sessions = Sessions(SEED, "tierfold", tmp_path)
    session = sessions.token(sessions.begin(LI))
    tokens = Tokens(lambda: key_set([SEED]), "tierfold", "tierfold")
    of_the_console = Tokens(lambda: key_set([SEED]), "tierfold", AUDIENCE)

    for reader in (tokens, of_the_console):
        with pytest.raises(BadToken):
            await reader.caller(session)
    for audience in ("tierfold", AUDIENCE):
        assert sessions.read(minted(SEED, "tierfold", audience, LI, 60)) is None


@pytest.mark.parametrize("forged", ["another key", "another issuer", "no signature", "garbage"])
def test_a_forged_session_is_none(forged: str, tmp_path: Path) -> None:
    """Whatever it says of itself."""
    ours, theirs = (
        Sessions(SEED, "tierfold", tmp_path),
        Sessions(os.urandom(32), "tierfold", tmp_path),
    )
    good = ours.token(ours.begin(LI))
    claims = jwt.decode(good, options={"verify_signature": False})
    cookie = {
        "another key": theirs.token(theirs.begin(LI)),
        "another issuer": Sessions(SEED, "else", tmp_path).token(ours.begin(LI)),
        "no signature": jwt.encode(claims, None, "none", {"typ": KIND}),
        "garbage": "a.b.c",
    }[forged]

    assert ours.read(cookie) is None


@pytest.mark.parametrize(
    ("method", "headers", "own"),
    [
        ("GET", {"sec-fetch-site": "cross-site"}, True),
        ("POST", {"sec-fetch-site": "same-origin"}, True),
        ("POST", {"sec-fetch-site": "same-site"}, False),
        ("POST", {"sec-fetch-site": "cross-site", "origin": "http://bank"}, False),
        ("POST", {"sec-fetch-site": "none"}, False),
        ("POST", {"origin": "http://bank:8090"}, True),
        ("POST", {"origin": "http://bank"}, False),
        ("POST", {"origin": "null"}, False),
        ("POST", {"origin": "http://["}, False),
        ("POST", {}, False),
        ("DELETE", {}, False),
    ],
)
def test_only_our_own_pages_change_anything(
    method: str, headers: dict[str, str], own: bool
) -> None:
    """By Fetch Metadata, else by the origin."""
    assert is_own(method, {"host": "bank:8090", **headers}) is own
