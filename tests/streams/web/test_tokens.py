"""A token lets in whom its issuer says, by a key of that issuer's, in its time, and nobody else."""

import asyncio
import json
import time
from collections.abc import Callable
from http.client import IncompleteRead

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from domain.access.roles import Caller
from streams.web.security import tokens as tokens_module
from streams.web.security.tokens import BadToken, Tokens, key_set, minted

SEED = b"s" * 32
HANGING = 0.5
LI = Caller("li.wei", ("auditor", "operator"))
RSA, EC, ED = (
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    Ed25519PrivateKey.generate(),
)
SIGNED = {
    "RS256": (RSA, RSAAlgorithm),
    "PS256": (RSA, RSAAlgorithm),
    "ES256": (EC, ECAlgorithm),
    "EdDSA": (ED, OKPAlgorithm),
}


def caller(token: str, keys: Callable[[], str] = lambda: key_set([SEED])) -> Caller:
    """Whom a token speaks for, to us."""
    return asyncio.run(Tokens(keys, "issuer", "tierfold").caller(token))


def claims(**other: object) -> dict[str, object]:
    """Good claims, or others."""
    return {
        "iss": "issuer",
        "aud": "tierfold",
        "sub": "li.wei",
        "roles": ["auditor"],
        "exp": int(time.time()) + 60,
        **other,
    }


def test_a_token_of_our_own_says_who_and_as_what() -> None:
    """Roles in our order; the customer of a channel."""
    assert caller(minted(SEED, "issuer", "tierfold", LI, 60)) == LI
    channel = Caller("app", ("channel",), "4711")
    assert caller(minted(SEED, "issuer", "tierfold", channel, 60)) == channel


def test_a_token_that_names_no_key_is_read_by_the_only_one() -> None:
    """Of several it names one, or is not read; a key without a name counts where it is alone."""
    token = jwt.encode(claims(), ED, "EdDSA", {"typ": "at+jwt"})
    ours = {**json.loads(OKPAlgorithm.to_jwk(ED.public_key())), "use": "sig"}
    other = json.loads(key_set([SEED]))["keys"]

    assert caller(token, lambda: json.dumps({"keys": [ours]})).who == "li.wei"
    with pytest.raises(BadToken, match="not known here"):
        caller(token, lambda: json.dumps({"keys": [ours, *other]}))


@pytest.mark.parametrize("algorithm", SIGNED)
def test_an_issuers_token_is_read_among_keys_for_other_uses(algorithm: str) -> None:
    """An ordinary set.

    Keys to encrypt with, shared secrets and kinds that nobody here knows do not hinder those that
    sign.
    """
    private, shape = SIGNED[algorithm]
    signing = {
        **json.loads(shape.to_jwk(private.public_key())),
        "kid": "signs",
        "use": "sig",
        "alg": algorithm,
    }
    others = [
        {
            **json.loads(RSAAlgorithm.to_jwk(RSA.public_key())),
            "kid": "encrypts",
            "use": "enc",
            "alg": "RSA-OAEP",
        },
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "EC", "kid": "odd", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "new"},
    ]
    token = jwt.encode(claims(), private, algorithm, {"kid": "signs"})

    assert caller(token, lambda: json.dumps({"keys": [*others, signing]})).who == "li.wei"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"exp": -60}, "over"),
        ({"nbf": 600}, "not yet"),
        ({"aud": "another"}, "somebody else"),
        ({"iss": "another"}, "another issuer"),
        ({"exp": None}, "lacks"),
        ({"roles": ["god"]}, "no role"),
        ({"roles": "auditor"}, "no role"),
        ({"sub": "a b"}, "no name"),
        ({"customer": 7}, "not a string"),
    ],
)
def test_a_token_with_other_claims_lets_nobody_in(other: dict[str, object], why: str) -> None:
    """Each says why, and nothing of what is in it; times are in seconds from now."""
    now = int(time.time())
    timed = {
        name: now + value if name in {"exp", "nbf"} and isinstance(value, int) else value
        for name, value in other.items()
    }
    said = {name: value for name, value in claims(**timed).items() if value is not None}
    kid = json.loads(key_set([SEED]))["keys"][0]["kid"]
    token = jwt.encode(said, Ed25519PrivateKey.from_private_bytes(SEED), "EdDSA", {"kid": kid})

    with pytest.raises(BadToken, match=why):
        caller(token)


def test_a_key_that_is_taken_away_lets_nobody_in_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was good is looked at again after a minute, and the keys after five.

    By a key that is gone then nobody comes in any more.
    """
    monkeypatch.setattr(tokens_module, "RENEW_EVERY", 0.0)
    monkeypatch.setattr(tokens_module, "BELIEVED", 0.0)
    keys = {"now": key_set([SEED])}
    tokens = Tokens(lambda: keys["now"], "issuer", "tierfold")
    token = minted(SEED, "issuer", "tierfold", LI, 3600)

    async def lives() -> None:
        assert await tokens.caller(token) == LI
        keys["now"] = key_set([b"t" * 32])
        assert await tokens.caller(token) == LI, "nobody waits for the look that is due"
        await asyncio.sleep(0.1)
        with pytest.raises(BadToken, match="not known"):
            await tokens.caller(token)

    asyncio.run(lives())


def test_a_good_token_does_not_wait_for_an_issuer_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last good set of keys is kept; also where half an answer came."""
    monkeypatch.setattr(tokens_module, "RENEW_EVERY", 0.0)
    monkeypatch.setattr(tokens_module, "BELIEVED", 0.0)
    reads = iter([lambda: key_set([SEED]), hanging, half_an_answer])

    def read() -> str:
        return next(reads)()

    tokens = Tokens(read, "issuer", "tierfold")
    token = minted(SEED, "issuer", "tierfold", LI, 3600)

    async def lives() -> list[float]:
        waits = []
        for _ in range(3):
            begun = time.perf_counter()
            assert await tokens.caller(token) == LI
            waits.append(time.perf_counter() - begun)
            await asyncio.sleep(2 * HANGING)
        return waits

    assert max(asyncio.run(lives())[1:]) < HANGING / 2
    assert next(reads, None) is None, "each look was made"


def hanging() -> str:
    """What an issuer that hangs gives, at last."""
    time.sleep(HANGING)
    return key_set([SEED])


def half_an_answer() -> str:
    """What a connection that breaks off gives."""
    raise IncompleteRead(b"{")


def test_a_token_for_something_else_lets_nobody_in() -> None:
    """An identity token is none for access (RFC 9068, 4)."""
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    kid = json.loads(key_set([SEED]))["keys"][0]["kid"]
    token = jwt.encode(claims(), private, "EdDSA", {"typ": "id+jwt", "kid": kid})

    with pytest.raises(BadToken, match="for something else"):
        caller(token)
