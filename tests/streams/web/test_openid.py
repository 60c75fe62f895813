"""Whom the bank's identity provider lets in is in, by one login of their own."""

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread

from domain.access.roles import Caller
from streams.web.security.openid import GOOD_FOR, Away, NotLoggedIn, OpenId, Provider

BACK = "http://127.0.0.1:8090/login/callback"
ROLES = {"tier owners": ("tier-owner",), "branch": ("manager", "supervisor")}
PEOPLE = [
    User(sub="li.wei", claims={"groups": ["branch", "canteen"]}),
    User(sub="wang.fang", claims={"groups": "tier owners", "preferred_username": "w"}),
    User(sub="zhao", claims={"groups": ["canteen"]}),
    User(sub="no name", claims={"groups": ["branch"]}),
    User(sub="odd", claims={"groups": {"branch": 1}}),
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """An identity provider with people and groups."""
    with run_server_in_thread(user_claims=PEOPLE, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


def openid(issuer: str, seed: bytes = b"s" * 32) -> OpenId:
    """The console, as that provider knows it."""
    return OpenId(Provider(issuer, "tierfold", "s/+", ROLES), BACK, seed)


def said_to(where: str, who: str) -> dict[str, str]:
    """What a browser is sent back with, once somebody has pressed their button there."""
    answer = httpx.post(where, data={"sub": who})
    assert answer.headers["location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def log_in(at: OpenId, who: str, *, anew: bool = False) -> tuple[Caller, int, str]:
    """A whole login."""
    where, kept = asyncio.run(at.begin("/jobs?wait=4", anew=anew))
    return asyncio.run(at.finish(said_to(where, who), kept))


def test_somebody_is_in_with_the_roles_of_their_groups(issuer: str) -> None:
    """In our order; a group that has no role here gives none; they go where they wanted to."""
    begun = int(time.time())
    caller, proven, back = log_in(openid(issuer), "li.wei")

    assert caller == Caller("li.wei", ("manager", "supervisor"))
    assert (begun <= proven <= time.time(), back) == (True, "/jobs?wait=4")
    assert log_in(openid(issuer), "wang.fang")[0].roles == ("tier-owner",)


def test_what_is_asked_proves_itself_later_and_never_says_the_secret(issuer: str) -> None:
    """By a challenge, a state and a nonce that each login has of its own; and once more, if so."""
    at = openid(issuer)
    asked = [
        dict(parse_qsl(urlsplit(asyncio.run(at.begin("/", anew=new))[0]).query))
        for new in (False, True)
    ]

    for name in ("code_challenge", "state", "nonce"):
        assert len(asked[0][name]) >= 43
        assert asked[0][name] != asked[1][name]
    assert asked[0]["code_challenge_method"] == "S256"
    assert "prompt" not in asked[0]
    assert (asked[1]["prompt"], asked[1]["max_age"]) == ("login", "0")
    assert "s/+" not in str(asked)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("zhao", "none of their groups has a role here"),
        ("odd", "none of their groups has a role here"),
        ("no name", "its subject is no name"),
    ],
)
def test_who_may_nothing_here_is_told_so(issuer: str, who: str, why: str) -> None:
    """Also who has a name that no record could say."""
    with pytest.raises(NotLoggedIn, match=why):
        log_in(openid(issuer), who)


def test_a_login_counts_for_the_browser_that_began_it_and_once(issuer: str) -> None:
    """Not with another's cookie, state or code, not with a code that was used, not without one."""
    at = openid(issuer)
    (where, kept), (other, others) = (asyncio.run(at.begin("/", anew=False)) for _ in "12")
    said, elsewhere = said_to(where, "li.wei"), said_to(other, "wang.fang")
    refused = [
        (elsewhere, kept),
        (said, others),
        (said, ""),
        (said, "a.b.c"),
        ({**said, "state": "x"}, kept),
        ({"state": said["state"], "error": "access_denied"}, kept),
        ({**said, "iss": "https://another.example"}, kept),
        ({**said, "code": "x"}, kept),
        ({**said, "code": elsewhere["code"]}, kept),
    ]

    for back, cookie in refused:
        with pytest.raises(NotLoggedIn):
            asyncio.run(at.finish(back, cookie))
    assert asyncio.run(at.finish(said, kept)).caller.who == "li.wei"
    with pytest.raises(NotLoggedIn, match="does not take this login's code"):
        asyncio.run(at.finish(said, kept))


def test_a_cookie_of_another_key_or_of_ten_minutes_ago_is_none(issuer: str) -> None:
    """Whoever can write a cookie into a browser logs nobody in as themselves."""
    where, forged = asyncio.run(openid(issuer, seed=b"x" * 32).begin("/", anew=False))
    with pytest.raises(NotLoggedIn, match="not begun here, or is over"):
        asyncio.run(openid(issuer).finish(said_to(where, "li.wei"), forged))

    old = OpenId(
        Provider(issuer, "tierfold", "s/+", ROLES),
        BACK,
        b"s" * 32,
        lambda: time.time() - GOOD_FOR - 1,
    )
    where, kept = asyncio.run(old.begin("/", anew=False))
    with pytest.raises(NotLoggedIn, match="not begun here, or is over"):
        asyncio.run(openid(issuer).finish(said_to(where, "li.wei"), kept))


def test_an_answer_for_another_client_lets_nobody_in(issuer: str) -> None:
    """The ID token says for whom it is."""
    at = openid(issuer)
    where, kept = asyncio.run(at.begin("/", anew=False))
    said = said_to(where.replace("client_id=tierfold", "client_id=another"), "li.wei")

    with pytest.raises(NotLoggedIn):
        asyncio.run(at.finish(said, kept))


def test_a_provider_that_is_away_or_is_another_is_said_to_be_away(issuer: str) -> None:
    """At either half of a login; and it is asked again the next time."""
    at = openid("http://localhost:9")
    with pytest.raises(Away):
        asyncio.run(at.begin("/", anew=False))
    with pytest.raises(Away, match="it calls itself"):
        asyncio.run(openid(f"{issuer}/").begin("/", anew=False))
