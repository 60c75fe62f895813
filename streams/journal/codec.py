"""What are the stored bytes of an event?

One function encodes their head, one decodes them.

The bytes are JSON with every field of the envelope, so that a hash over them covers stream, version
and type; and with the hash of the event before in the stream, so that it covers that one too, and
so all of them.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TypeVar

import msgspec
from pydantic import ValidationError

from domain.envelope import Proposed, Recorded
from domain.event_types import EVENT_BY_TYPE, TYPE_BY_EVENT
from domain.upcasters import UPCASTERS, upcast

P = TypeVar("P")


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the stored bytes say of an event in the clear.

    `previous` of all but the first of a stream, `about`, `digest` and `alg` only where it is
    sealed.
    """

    type: str
    stream: str
    version: int
    source: str
    id: str
    occurred_at: datetime
    business_date: date
    recorded_at: datetime
    cause: str | None
    previous: bytes | None = None
    about: str | None = None
    digest: bytes | None = None
    alg: str | None = None


class Envelope(Head, frozen=True, kw_only=True):
    """All that the stored bytes say of an event that is not sealed, or was opened."""

    data: msgspec.Raw


class Newer(ValueError):
    """An event of a type, or with fields, that this release does not know."""

    def __init__(self, event_type: str, fields: Sequence[str] = ()) -> None:
        what = (
            f"the type {event_type}"
            if not fields
            else f"{', '.join(fields)} of the type {event_type}"
        )
        super().__init__(f"this release does not know {what}: a newer one may have recorded it")
        self.event_type = event_type


TOO_MANY = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls a field that a model, or a dataclass, does not have."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_head_decoder = msgspec.json.Decoder(Head)


def canonical(event: Proposed) -> bytes:
    """The data of an event as JSON in the one order and spelling that is stored."""
    return event.data.__pydantic_serializer__.to_json(event.data)


def head(
    event: Proposed,
    version: int,
    recorded_at: datetime,
    previous: bytes | None,
    about: str | None = None,
    alg: str | None = None,
    digest: bytes | None = None,
) -> bytes:
    """The stored bytes of an event up to what it says, as it becomes `version` of its stream,
    behind one with the hash `previous`.

    `alg` is how what follows is sealed, with the key of whom it is `about`, and `digest` the
    commitment to it; all None if it is not sealed.
    """
    said = _encoder.encode(
        Head(
            type=TYPE_BY_EVENT[type(event.data)],
            stream=event.stream,
            version=version,
            source=event.source,
            id=event.id,
            occurred_at=event.occurred_at,
            business_date=event.business_date,
            recorded_at=recorded_at,
            cause=event.cause,
            previous=previous,
            about=None if about == event.stream else about,
            digest=digest,
            alg=alg,
        )
    )
    return said[:-1] + b","


@lru_cache(maxsize=64)
def part_decoder(shape: type[P]) -> Callable[[bytes], P]:
    """What decodes as much of stored bytes as a struct asks for.

    Only for events of the newest shape of their type.
    """
    return msgspec.json.Decoder(shape).decode


def previous_of(stored: bytes) -> bytes | None:
    """The hash of the event before in the stream, as stored bytes name it.

    Raises `msgspec.DecodeError` if they are no event.
    """
    return _head_decoder.decode(stored).previous


def recorded_at_of(stored: bytes) -> datetime:
    """When an event was recorded, sealed or not."""
    return _head_decoder.decode(stored).recorded_at


def version_of(stored: bytes) -> int:
    """The version of an event, sealed or not."""
    return _head_decoder.decode(stored).version


def decode(position: int, stored: bytes) -> Recorded:
    """The event in stored bytes, brought to the newest shape of its type.

    Raises `Newer`, and `msgspec.DecodeError` or `pydantic.ValidationError` if the bytes are not an
    event's, or still sealed.
    """
    found = _decoder.decode(stored)
    event_type, data = found.type, bytes(found.data)
    if event_type in UPCASTERS:
        event_type, shape = upcast(event_type, msgspec.json.decode(data))
        data = msgspec.json.encode(shape)
    if event_type not in EVENT_BY_TYPE:
        raise Newer(event_type)
    try:
        event = EVENT_BY_TYPE[event_type].__pydantic_validator__.validate_json(data)
    except ValidationError as error:
        if unknown := _more_than_known(error):
            raise Newer(event_type, unknown) from None
        raise
    return Recorded(
        position,
        found.stream,
        found.version,
        found.source,
        found.id,
        found.occurred_at,
        found.business_date,
        found.recorded_at,
        found.cause,
        event,
    )


def _more_than_known(error: ValidationError) -> list[str]:
    """The fields that are too many, if nothing else is wrong."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return (
        [".".join(map(str, each["loc"])) for each in found]
        if all(each["type"] in TOO_MANY for each in found)
        else []
    )
