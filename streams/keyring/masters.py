"""What wraps the keys?

One master key: in a file, in the environment, or with somebody who wraps and never gives it away.

A wrapped key names the master that wrapped it, so that masters can follow each other.
"""

import base64
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12
PATIENCE = 10.0


class Unwrappable(ValueError):
    """A wrapped key cannot be unwrapped by this master; says which one wrapped it."""


class Master(Protocol):
    """Wraps keys; `name` stands beside what it wrapped. Can be sent to another process."""

    @property
    def name(self) -> str: ...
    def again(self) -> Self: ...
    def wrap(self, subject: str, key: bytes) -> bytes: ...
    def unwrap(self, subject: str, wrapped: bytes) -> bytes: ...


class _Own:
    """Master keys of 32 bytes at hand: AES-256-GCM, bound to the subject.

    The first one wraps, all of them unwrap.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        keys = [_of_digits(line, where) for line in self._read().split() or [""]]
        self._aeads = [AESGCM(key) for key in keys]
        self.name = f"A256GCM/{sha256(keys[0]).hexdigest()[:16]}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._where,)

    def again(self) -> Self:
        """The master as it is now: keys may have been added, or taken away."""
        return type(self)(self._where)

    def wrap(self, subject: str, key: bytes) -> bytes:
        """A subject's key, wrapped."""
        nonce = os.urandom(NONCE)
        return nonce + self._aeads[0].encrypt(nonce, key, subject.encode())

    def unwrap(self, subject: str, wrapped: bytes) -> bytes:
        """A subject's key; raises `Unwrappable`."""
        for aead in self._aeads:
            try:
                return aead.decrypt(wrapped[:NONCE], wrapped[NONCE:], subject.encode())
            except InvalidTag:
                continue
        raise Unwrappable(
            f"a key is not wrapped by the master key {self.name}: put back the one that wrapped it"
        )

    def _read(self) -> str:
        raise NotImplementedError


class FileMaster(_Own):
    """Master keys in a file that only its owner may read, a line of 64 hexadecimal digits each.

    Raises `ValueError` where there is none.
    """

    def _read(self) -> str:
        return Path(self._where).read_text(encoding="ascii")


class EnvironmentMaster(_Own):
    """Master keys in a variable of the environment, 64 hexadecimal digits each.

    Raises `ValueError` where there is none.
    """

    def _read(self) -> str:
        return os.environ.get(self._where, "")


@dataclass(frozen=True)
class TransitMaster:
    """Somebody who wraps over HTTP and keeps the master key.

    The transit engine of Vault or OpenBao; `url` ends with the key's name.

    The token stands in a variable of the environment, which is named here.
    """

    url: str
    token_variable: str

    @property
    def name(self) -> str:
        """Where it is."""
        return f"transit/{self.url.rpartition('/')[2]}"

    def again(self) -> "TransitMaster":
        """The same: keys are rotated there."""
        return self

    def wrap(self, subject: str, key: bytes) -> bytes:
        """A subject's key, wrapped there."""
        return self._ask(
            "encrypt", {"plaintext": _coded(key), "associated_data": _coded(subject.encode())}
        )["ciphertext"].encode()

    def unwrap(self, subject: str, wrapped: bytes) -> bytes:
        """A subject's key; raises `Unwrappable`, and `OSError` where nobody answers."""
        return base64.b64decode(
            self._ask(
                "decrypt",
                {"ciphertext": wrapped.decode(), "associated_data": _coded(subject.encode())},
            )["plaintext"]
        )

    def _ask(self, verb: str, said: dict[str, str]) -> dict[str, str]:
        base, _, key = self.url.rpartition("/keys/")
        headers = {
            "content-type": "application/json",
            "x-vault-token": os.environ.get(self.token_variable, ""),
        }
        question = urllib.request.Request(  # noqa: S310 - http or https, see the settings
            f"{base}/{verb}/{key}", json.dumps(said).encode(), headers
        )
        try:
            with urllib.request.urlopen(question, timeout=PATIENCE) as answer:  # noqa: S310
                found: dict[str, str] = json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            raise Unwrappable(f"{self.name} does not {verb} ({error.code})") from error
        return found


def _of_digits(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError(f"{where} has no master key: 64 hexadecimal digits")
    return key


def _coded(said: bytes) -> str:
    return base64.b64encode(said).decode()
