"""What becomes of an arrival?

Recorded, already recorded, quarantined or refused: each exactly one of the four.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from domain.envelope import Proposed
from domain.event_types import TYPE_BY_EVENT
from streams.journal.codec import canonical
from streams.keyring import Key

_encode = msgspec.msgpack.Encoder().encode


class Refused(NamedTuple):
    """Why an arrival is not recorded although it is an interaction.

    Its subject was forgotten, or it must not come in.
    """


class Rejected(NamedTuple):
    """Why an arrival is no interaction: a sentence, and the field at fault where there is one."""

    reason: str
    field: str | None = None


class Arrival(NamedTuple):
    """One event of one message, as it came.

    Where from, its original bytes, and what could be read of it.

    `sent_with` has key and headers of a message that could not be read, as JSON.
    """

    offset: int
    item: int
    raw: bytes
    read: Proposed | Rejected | Refused
    sent_with: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """`arrived = recorded + already + quarantined + refused`, exactly, at every commit.

    `forwarded` counts strays, which arrive in the shard that they were sent on to.
    """

    arrived: int = 0
    recorded: int = 0
    already: int = 0
    quarantined: int = 0
    refused: int = 0
    forwarded: int = 0

    def balanced(self) -> bool:
        """Whether every arrival has exactly one outcome."""
        return self.arrived == self.recorded + self.already + self.quarantined + self.refused

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class Identity(NamedTuple):
    """Digests of the name of an event and of what it says, its data, whom it is about, and the key
    with which what it says is sealed.
    """

    key: bytes
    content: bytes
    data: bytes
    subject: str | None = None
    seal: Key | None = None


class Fresh(NamedTuple):
    """An arrival to be recorded."""

    event: Proposed
    identity: Identity


class Decided(NamedTuple):
    """The arrivals of one commit, sorted by outcome."""

    fresh: list[Fresh]
    quarantined: list[tuple[Arrival, Rejected]]
    counts: Counts


def source_key(source: str, event_id: str, *stream: str) -> bytes:
    """A digest of CloudEvents `source` and `id`, which name an event of its stream for ever.

    The stream that was the first in its shard to use a name has it alone; others have it with their
    own `stream`.
    """
    return _digest(_encode((source, event_id, *stream)))


def identify(event: Proposed, subject: str | None = None, key: Key | None = None) -> Identity:
    """Name and content of an event.

    The content is all that the sender said, digested by the key of the subject if there is one.
    """
    data = canonical(event)
    said = _encode(
        (
            TYPE_BY_EVENT[type(event.data)],
            event.stream,
            event.occurred_at,
            event.business_date,
            event.cause,
            data,
        )
    )
    return Identity(
        source_key(event.source, event.id),
        _digest(said) if key is None else key.digest(said),
        data,
        subject,
        key,
    )


def _digest(said: bytes) -> bytes:
    return blake2b(said, digest_size=16).digest()


def decide(
    arrivals: Sequence[Arrival],
    identities: Iterable[Identity | Refused | None],
    known: Mapping[bytes, bytes],
) -> Decided:
    """Sort arrivals by outcome, in order.

    `known` maps the keys already journalled to their content.
    """
    seen = dict(known)
    fresh: list[Fresh] = []
    quarantined: list[tuple[Arrival, Rejected]] = []
    already = refused = 0
    for arrival, identity in zip(arrivals, identities, strict=True):
        if isinstance(arrival.read, Refused) or isinstance(identity, Refused):
            refused += 1
        elif isinstance(arrival.read, Rejected) or identity is None:
            quarantined.append(
                (
                    arrival,
                    arrival.read if isinstance(arrival.read, Rejected) else Rejected("unreadable"),
                )
            )
        elif identity.key not in seen:
            seen[identity.key] = identity.content
            fresh.append(Fresh(arrival.read, identity))
        elif seen[identity.key] == identity.content:
            already += 1
        else:
            quarantined.append(
                (
                    arrival,
                    Rejected(
                        "conflict: the same source and id was recorded with other content", "id"
                    ),
                )
            )
    return Decided(
        fresh, quarantined, Counts(len(arrivals), len(fresh), already, len(quarantined), refused)
    )
