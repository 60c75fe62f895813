"""Who said this, and is it what they said?

Texts signed with Ed25519, as C2SP's signed notes, checkpoints and cosignatures.

A note is a text, an empty line, and signature lines: `— name base64(key id, signature)`. The
formats are c2sp.org/signed-note, c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature
(`cosignature/v1`); keys are written as Go's `sumdb/note` writes them, `name+id+key`. The only door
to Ed25519.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNS, COSIGNS = b"\1", b"\4"
"""Ed25519 over the text.

Ed25519 over the time and a text that was found to follow on what the witness saw before.
"""
OWN = "PRIVATE+KEY+"
DASH = "\u2014 "

MOST_SIGNATURES = 32
"""Signature lines of a note that are looked at: the log's own, and its witnesses'."""


class ProofError(ValueError):
    """Something that was to prove something does not; says what, and why."""


class Signer:
    """Somebody who signs: a name without space or plus, and the 32 bytes of an Ed25519 key.

    `cosigns` marks a witness.
    """

    def __init__(self, name: str, seed: bytes, *, cosigns: bool = False) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self._kind = COSIGNS if cosigns else SIGNS
        self.public = Public(name, self._kind, self._key.public_key().public_bytes_raw())

    @classmethod
    def read(cls, text: str) -> "Signer":
        """The signer whose secret key is written in a line; raises `ValueError`."""
        name, _, key = text.strip().removeprefix(OWN).partition("+")
        _, _, coded = key.partition("+")
        kind, seed = _kind_and_key(coded)
        if not text.startswith(OWN):
            raise ValueError("this is no secret key: it does not begin with PRIVATE+KEY")
        return cls(name, seed, cosigns=kind == COSIGNS)

    def secret(self) -> str:
        """The secret key, as a line to be kept from everybody else."""
        return f"{OWN}{self.name}+{self.public.id.hex()}+{_coded(self._kind + self._seed)}"

    def sign(self, text: str) -> str:
        """The signature line of a text."""
        return self._line(self._key.sign(text.encode()))

    def cosign(self, text: str, now: datetime) -> str:
        """The signature line of a checkpoint that follows on those before, at a time."""
        at = int(now.timestamp())
        return self._line(at.to_bytes(8, "big") + self._key.sign(_cosigned(text, at)))

    def _line(self, signature: bytes) -> str:
        return f"{DASH}{self.name} {_coded(self.public.id + signature)}\n"


@dataclass(frozen=True)
class Public:
    """A key to check signatures with."""

    name: str
    kind: bytes
    key: bytes

    @classmethod
    def read(cls, line: str) -> "Public":
        """The key in a line `name+id+key`; raises `ValueError` if it is none."""
        name, _, rest = line.strip().partition("+")
        named, _, coded = rest.partition("+")
        kind, key = _kind_and_key(coded)
        found = cls(name, kind, key)
        if not name or found.id.hex() != named:
            raise ValueError(f"the key of {name or 'nobody'} has not the id that it names")
        return found

    @property
    def id(self) -> bytes:
        """The first four bytes of a hash over name, kind and key."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_coded(self.kind + self.key)}"

    def check(self, text: str, signature: bytes) -> datetime | None:
        """When it was cosigned, None if only signed.

        Raises `ProofError` if this key did not sign the text.
        """
        at = int.from_bytes(signature[:8], "big") if self.kind == COSIGNS else None
        said, signature = (
            (text.encode(), signature) if at is None else (_cosigned(text, at), signature[8:])
        )
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, said)
        except InvalidSignature as error:
            raise ProofError(f"the signature of {self.name} is not over this text") from error
        return None if at is None else datetime.fromtimestamp(at, UTC)


@dataclass(frozen=True)
class Opened:
    """A text, and by whom it is signed: names, with the time if they cosigned."""

    text: str
    by: dict[str, datetime | None]


def signed(text: str, lines: Iterable[str]) -> str:
    """A note: a text that ends its last line and has no empty one, and its signature lines."""
    return f"{text}\n{''.join(lines)}"


def opened(note: str, keys: Iterable[Public]) -> Opened:
    """A note that at least one of these keys has signed, and that none of them has signed wrongly.

    Raises `ProofError` for any other.
    """
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise ProofError("this is no signed note")
    text += "\n"
    by: dict[str, datetime | None] = {}
    known = {(key.name, key.id): key for key in keys}
    lines = signatures.splitlines()
    if len(lines) > MOST_SIGNATURES:
        raise ProofError(f"there are {len(lines)} signatures, and {MOST_SIGNATURES} are the most")
    for line in lines:
        name, _, coded = line.removeprefix(DASH).partition(" ")
        signature = _decoded(coded)
        if line[: len(DASH)] != DASH or signature is None or len(signature) < 68:
            raise ProofError("a signature line cannot be read")
        if (key := known.get((name, signature[:4]))) is not None:
            by[name] = key.check(text, signature[4:])
    if not by:
        raise ProofError("nobody whose key is known has signed this")
    return Opened(text, by)


@dataclass(frozen=True)
class Checkpoint:
    """What a list was at a time: its name, size and root (RFC 6962).

    `more` is said beside it, a line each.
    """

    origin: str
    size: int
    root: bytes
    at: datetime
    more: tuple[str, ...] = ()

    def text(self) -> str:
        """The body of a note."""
        return "".join(
            f"{line}\n"
            for line in (
                self.origin,
                str(self.size),
                _coded(self.root),
                f"time {self.at.isoformat()}",
                *self.more,
            )
        )

    @classmethod
    def read(cls, text: str) -> "Checkpoint":
        """The checkpoint in the body of a note; raises `ProofError` if there is none."""
        try:
            origin, size, root, at, *more = text.removesuffix("\n").split("\n")
            found = cls(
                origin,
                int(size),
                base64.b64decode(root, validate=True),
                datetime.fromisoformat(at.removeprefix("time ")),
                tuple(more),
            )
        except ValueError as error:
            raise ProofError("this is no checkpoint") from error
        if found.text() != text or len(found.root) != 32 or not all(found.more):
            raise ProofError("this is no checkpoint")
        return found


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _kind_and_key(coded: str) -> tuple[bytes, bytes]:
    found = _decoded(coded)
    if found is None or found[:1] not in (SIGNS, COSIGNS) or len(found) != 33:
        raise ValueError("this is no Ed25519 key as signed notes have it: name+id+key")
    return found[:1], found[1:]


def _coded(said: bytes) -> str:
    return base64.b64encode(said).decode()


def _decoded(text: str) -> bytes | None:
    """What is coded, None if it is not coded the one way there is.

    Otherwise bits could change that nobody signed.
    """
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if _coded(found) == text else None
