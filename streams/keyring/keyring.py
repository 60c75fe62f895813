"""How does a process come by keys?

Asked for many at once, kept at hand, and let go where somebody was forgotten meanwhile.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streams.keyring.masters import NONCE, Master
from streams.keyring.tables import (
    ANY_DESTROYED,
    CHANGED,
    CHANGES,
    COUNTS,
    DESTROY,
    DESTROYED,
    FIND,
    LIFT,
    MAKE,
    OF_OTHERS,
    RESTRICT,
    REWRAP,
    Tables,
)

AT_HAND = 200_000
KEY = 32
CHUNK_KEYS = 500
LOOK_EVERY = 1.0
"""Seconds after which a process has heard that a key was destroyed."""


class NoKey(LookupError):
    """There is no key where one must be.

    The database of keys is not the one that belongs to this journal.
    """


class Key:
    """A subject's key.

    Seals and opens, and digests so that only who has the key can guess what was digested.

    The algorithm is AES-256-GCM as RFC 7518 names it, with a random nonce of 96 bits in front.
    """

    algorithm = "A256GCM"
    __slots__ = ("_aead", "_digest", "_salt")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._digest = blake2b(key, digest_size=32, person=b"tierfold-digest").digest()
        self._salt = blake2b(key, digest_size=32, person=b"tierfold-salt").digest()

    def seal(self, said: bytes, beside: bytes) -> bytes:
        """Sealed together with what stands beside it in the clear."""
        nonce = os.urandom(NONCE)
        return nonce + self._aead.encrypt(nonce, said, beside)

    def open(self, sealed: bytes, beside: bytes) -> bytes:
        """What was sealed.

        Raises `ValueError` if this key did not seal it, or something else stands beside it now.
        """
        try:
            return self._aead.decrypt(sealed[:NONCE], sealed[NONCE:], beside)
        except InvalidTag as error:
            raise ValueError("it was not sealed so by this key") from error

    def salt(self, place: str) -> bytes:
        """What is mixed into the commitment to what an event says.

        Another one for every place, to be told together with what it says.
        """
        return blake2b(place.encode(), digest_size=32, key=self._salt).digest()

    def digest(self, said: bytes) -> bytes:
        """Sixteen bytes that are the same for the same, and say nothing to who has not the key."""
        return blake2b(said, digest_size=16, key=self._digest).digest()


def commitment(said: bytes, salt: bytes) -> bytes:
    """What stands in the clear of a sealed event.

    With the salt anybody can check what it says, without it nobody can guess.
    """
    return blake2b(said, digest_size=32, key=salt).digest()


class Keys(NamedTuple):
    """How many keys there are, were destroyed, and are for auditors only."""

    there: int
    destroyed: int
    restricted: int


class _Held(NamedTuple):
    """A subject's key, None where it was destroyed, and since when it is for auditors only."""

    key: Key | None
    restricted_since: datetime | None


class Keyring:
    """The keys of all subjects, at `sqlite:///file` or `postgresql://…`, wrapped by a master.

    Those of subjects who are restricted open nothing, but for auditors. They go on sealing: what
    comes for somebody who is restricted is recorded.
    """

    def __init__(
        self,
        url: str,
        master: Master,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        for_auditors: bool = False,
    ) -> None:
        if not url.startswith(("sqlite:///", "postgresql://")):
            raise ValueError(
                f"the keys' url must start with sqlite:/// or postgresql://, not {url.partition('://')[0]}"
            )
        self._url = url
        self._master = master
        self._now = now
        self._for_auditors = for_auditors
        self._tables = Tables(url)
        self._at_hand: dict[str, _Held] = {}
        self._changes = -1
        self._looked = -LOOK_EVERY

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Keyring, for_auditors=self._for_auditors), (self._url, self._master)

    def get_or_create(self, subjects: Collection[str]) -> dict[str, Key | None]:
        """The keys to seal by, made for those who have none; None where it was destroyed."""
        known = self._known(subjects)
        while missing := [subject for subject in subjects if subject not in known]:
            at = self._now().isoformat()
            new = [
                (
                    subject,
                    self._master.wrap(subject, os.urandom(KEY)),
                    self._master.name,
                    at,
                    self._changes,
                )
                for subject in missing
            ]
            self._tables.change((MAKE, new))
            known |= self._loaded(missing)
            if len(known) < len(subjects):
                self._looked = -LOOK_EVERY  # a key or the master was changed meanwhile: look at what, and make them once more  # noqa: E501
                known = self._known(subjects)
        return _keys(known)

    def get(self, subjects: Collection[str]) -> dict[str, Key | None]:
        """The keys to open by; None where it was destroyed, or is restricted.

        Raises `NoKey` where there never was one.
        """
        return {
            subject: held.key if held.restricted_since is None or self._for_auditors else None
            for subject, held in self._there(subjects).items()
        }

    def to_seal(self, subjects: Collection[str]) -> dict[str, Key | None]:
        """The keys by which subjects' events are sealed and digested; None where it was destroyed.

        Raises `NoKey` where there never was one.
        """
        return _keys(self._there(subjects))

    def known(self, subjects: Collection[str]) -> set[str]:
        """Which of these subjects have a key, or had one that was destroyed."""
        return set(self._known(subjects))

    def restricted_since(self, subject: str) -> datetime | None:
        """When the restriction of a subject began; None of all others."""
        held = self._known([subject]).get(subject)
        return held.restricted_since if held else None

    def destroyed(self, subjects: Collection[str]) -> set[str]:
        """Which of these subjects were forgotten."""
        return {
            str(subject)
            for some in _some(list(subjects))
            for (subject,) in self._tables.query(_among(DESTROYED, some), some)
        }

    def any_destroyed(self) -> bool:
        """Whether anybody was forgotten."""
        return bool(self._tables.query(ANY_DESTROYED))

    def restrict(self, subjects: Sequence[str]) -> None:
        """Let nobody but auditors have the keys of subjects."""
        self.get_or_create(subjects)
        at = self._now().isoformat()
        self._tables.change((RESTRICT, [(subject, at) for subject in subjects]), (CHANGED, [()]))
        self._at_hand = {}

    def lift(self, subjects: Sequence[str]) -> None:
        """Let everybody have the keys of subjects again."""
        self._tables.change((LIFT, [(subject,) for subject in subjects]), (CHANGED, [()]))
        self._at_hand = {}

    def destroy(self, subjects: Sequence[str]) -> bool:
        """Destroy keys, for ever: also of subjects who have none yet, and will have none.

        Whether nothing is left in the files either.
        """
        at = self._now().isoformat()
        self._tables.change(
            (DESTROY, [(subject, at, at) for subject in subjects]),
            (LIFT, [(subject,) for subject in subjects]),
            (CHANGED, [()]),
        )
        self._at_hand = {}
        return self._tables.wipe()

    def notify(self) -> None:
        """Let every process know, within a second or so, that keys or masters have changed."""
        self._tables.change((CHANGED, [()]))

    def rewrap(self) -> int:
        """Wrap anew what another master has wrapped; gives how many keys.

        Whoever is stopped in between goes on where it was.
        """
        self._master = self._master.again()
        count = 0
        while rows := self._tables.query(OF_OTHERS, (self._master.name, CHUNK_KEYS)):
            wrapped = [
                (
                    self._master.wrap(subject, self._master.unwrap(subject, bytes(old))),
                    self._master.name,
                    subject,
                )
                for subject, old in rows
            ]
            self._tables.change((REWRAP, wrapped))
            count += len(wrapped)
        self._tables.wipe()
        return count

    def changes(self) -> int:
        """How often keys or masters were changed; the same number later says that nothing was."""
        [(changes,)] = self._tables.query(CHANGES)
        return int(changes)

    def heard(self) -> int:
        """How often keys or masters were changed, as this process has heard: a second late."""
        self._look()
        return self._changes

    def counts(self) -> Keys:
        """How many keys there are, were destroyed, and are for auditors only."""
        [(there, destroyed, restricted)] = self._tables.query(COUNTS)
        return Keys(int(there), int(destroyed), int(restricted))

    def close(self) -> None:
        """Let the connection go."""
        self._tables.close()

    def _there(self, subjects: Collection[str]) -> "dict[str, _Held]":
        """What is held of subjects; raises `NoKey` where there never was a key."""
        known = self._known(subjects)
        if unknown := [subject for subject in subjects if subject not in known]:
            raise NoKey(
                f"{len(unknown)} keys are missing: the database of keys is not the one that "
                "belongs to this journal; put that one back (TIERFOLD_VAULT)"
            )
        return known

    def _known(self, subjects: Collection[str]) -> "dict[str, _Held]":
        """The keys that there are, or were."""
        self._look()
        at_hand = self._at_hand
        known = {subject: at_hand[subject] for subject in subjects if subject in at_hand}
        return (
            known | self._loaded([subject for subject in subjects if subject not in known])
            if len(known) < len(subjects)
            else known
        )

    def _look(self) -> None:
        """Let all keys go if somebody has destroyed one since."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        changes = self.changes()
        if changes != self._changes:
            self._at_hand, self._master = {}, self._master.again()
        self._changes, self._looked = changes, time.monotonic()

    def _loaded(self, subjects: Sequence[str]) -> "dict[str, _Held]":
        """Keys from the database, which are then at hand.

        Trap: another thread may let all keys go meanwhile, because one was destroyed or restricted.
        What was read before that must not come to be at hand again.
        """
        if len(self._at_hand) > AT_HAND:
            self._at_hand = {}
        at_hand = self._at_hand
        found: dict[str, _Held] = {}
        for some in _some(subjects):
            for subject, wrapped, restricted_at in self._tables.query(_among(FIND, some), some):
                found[subject] = _Held(
                    None if wrapped is None else Key(self._master.unwrap(subject, bytes(wrapped))),
                    None if restricted_at is None else datetime.fromisoformat(restricted_at),
                )
        at_hand.update(found)
        return found


def _keys(held: Mapping[str, _Held]) -> dict[str, Key | None]:
    return {subject: each.key for subject, each in held.items()}


def _some(subjects: Sequence[str]) -> Iterator[Sequence[str]]:
    return (subjects[start : start + CHUNK_KEYS] for start in range(0, len(subjects), CHUNK_KEYS))


def _among(sql: str, some: Sequence[str]) -> str:
    return f"{sql}({','.join(['%s'] * len(some))})"
