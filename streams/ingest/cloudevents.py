"""What does a message say?

CloudEvents 1.0 over Kafka: structured, binary and batched, read and written.

Nothing that arrives may raise: what cannot be read becomes `Rejected`, with the field at fault.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Raw
from pydantic import ValidationError

from domain.bank.events import DayClosed
from domain.envelope import Proposed
from domain.event_types import EVENT_BY_TYPE, PREFIX, TYPE_BY_EVENT
from domain.upcasters import UPCASTERS, upcast
from streams.journal import Rejected

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
EVENT_LIMIT = 256 * 1024
"""Bytes of one event."""
BATCH_LIMIT = 10_000
"""Events in one message."""
SUBJECT = re.compile(r"bank|shard:[0-9]{1,4}|(?!shard:)[a-z]+:[A-Za-z0-9_.\-:/@#]{1,190}")
YEARS = range(1850, 2200)
APART = timedelta(days=366)
READABLE = {PREFIX + event_type: event_type for event_type in (*UPCASTERS, *EVENT_BY_TYPE)}

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Headers = Sequence[tuple[str, bytes | None]]


class CloudEvent(msgspec.Struct, frozen=True):
    """The attributes we ask for.

    `businessdate` and `cause` are extensions, all other attributes are let pass.
    """

    specversion: Literal["1.0"]
    id: Name
    source: Name
    type: Name
    subject: Name
    time: Annotated[datetime, Meta(tz=True)]
    businessdate: date
    data: Raw = Raw(b"")
    cause: Annotated[str, Meta(max_length=500)] | None = None


class Item(NamedTuple):
    """One event of a message: its original bytes, and what could be read of it."""

    raw: bytes
    read: Proposed | Rejected


_event = msgspec.json.Decoder(CloudEvent)
_batch = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.Encoder().encode


def read_message(key: bytes | None, value: bytes | None, headers: Headers = ()) -> list[Item]:
    """Every event in a Kafka message, each readable or rejected by itself.

    A key, if there is one, must be the subject of every event in the message.
    """
    if value is None:
        return [Item(b"", Rejected("the value is null"))]
    named = {name.lower(): (content or b"").decode("utf-8", "replace") for name, content in headers}
    if "ce_specversion" in named:
        return [_keyed(key, Item(value, _read_binary(named, value)))]
    if named.get("content-type", "").startswith(BATCH) or value.lstrip()[:1] == b"[":
        return [_keyed(key, item) for item in _read_batch(value)]
    return [_keyed(key, Item(value, read_event(value)))]


def read_event(raw: bytes) -> Proposed | Rejected:
    """The event in the JSON of one structured CloudEvent."""
    if len(raw) > EVENT_LIMIT:
        return Rejected(f"the event has {len(raw)} bytes, and {EVENT_LIMIT} is the limit")
    try:
        return _interpret(_event.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _rejected(error)


def write(event: Proposed) -> bytes:
    """An event as the JSON of one structured CloudEvent."""
    data = event.data.__pydantic_serializer__.to_json(event.data)
    return _encode(
        CloudEvent(
            specversion="1.0",
            id=event.id,
            source=event.source,
            type=PREFIX + TYPE_BY_EVENT[type(event.data)],
            subject=event.stream,
            time=event.occurred_at,
            businessdate=event.business_date,
            data=Raw(data),
            cause=event.cause,
        )
    )


def write_batch(events: Sequence[bytes]) -> bytes:
    """Several structured CloudEvents as one batch."""
    return b"[" + b",".join(events) + b"]"


def _read_batch(value: bytes) -> list[Item]:
    try:
        raws = [bytes(raw) for raw in _batch.decode(value)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return [Item(value, _rejected(error))]
    if len(raws) > BATCH_LIMIT:
        return [
            Item(
                value, Rejected(f"the batch has {len(raws)} events, and {BATCH_LIMIT} is the limit")
            )
        ]
    return [Item(raw, read_event(raw)) for raw in raws] or [
        Item(value, Rejected("the batch is empty"))
    ]


def _read_binary(named: Mapping[str, str], value: bytes) -> Proposed | Rejected:
    attributes: dict[str, Any] = {
        name.removeprefix("ce_"): content
        for name, content in named.items()
        if name.startswith("ce_")
    }
    if len(value) > EVENT_LIMIT:
        return Rejected(f"the event has {len(value)} bytes, and {EVENT_LIMIT} is the limit")
    try:
        return _interpret(
            msgspec.convert({**attributes, "data": Raw(value)}, CloudEvent, strict=False)
        )
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        return _rejected(error)


def _interpret(event: CloudEvent) -> Proposed | Rejected:
    event_type = READABLE.get(event.type)
    if event_type is None:
        return Rejected("this type is not in the catalogue", "type")
    if not SUBJECT.fullmatch(event.subject):
        return Rejected("a subject is `bank` or `kind:name`, as in customer:1001", "subject")
    if event.time.year not in YEARS or event.businessdate.year not in YEARS:
        field = "time" if event.time.year not in YEARS else "businessdate"
        return Rejected(f"the year must be within {YEARS.start} and {YEARS.stop - 1}", field)
    data = bytes(event.data)
    if not data:
        return Rejected("data is missing", "data")
    if abs(event.time.date() - event.businessdate) > APART:
        return Rejected(
            f"the business date is more than {APART.days} days from the time", "businessdate"
        )
    return _with_data(event, event_type, data)


def _with_data(event: CloudEvent, event_type: str, data: bytes) -> Proposed | Rejected:
    try:
        if event_type in UPCASTERS:
            event_type, shape = upcast(event_type, msgspec.json.decode(data))
            data = _encode(shape)
    except Exception as error:  # noqa: BLE001 - an old shape that its upcaster does not know may fail in any way
        return Rejected(f"not the shape of {event_type}: {type(error).__name__}", "data")
    try:
        interaction = EVENT_BY_TYPE[event_type].__pydantic_validator__.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return Rejected(
            first["msg"], ".".join(["data", *map(str, first["loc"])]).replace("\0", "?")
        )
    if isinstance(interaction, DayClosed) and interaction.date != event.businessdate:
        return Rejected("the day that closed is not the business date", "data.date")
    kind, _, _ = event.subject.partition(":")
    if kind not in interaction.concerns:
        return Rejected(
            f"this type concerns a {' or a '.join(interaction.concerns)}, not a {kind}", "subject"
        )
    return Proposed(
        event.source,
        event.id,
        event.subject,
        event.time,
        event.businessdate,
        interaction,
        event.cause,
    )


def _keyed(key: bytes | None, item: Item) -> Item:
    if key is None or isinstance(item.read, Rejected) or key == item.read.stream.encode():
        return item
    return Item(item.raw, Rejected("the message's key is not the event's subject", "subject"))


def _rejected(error: Exception) -> Rejected:
    said = str(error)
    missing = re.search(r"required field `(\w+)`", said)
    place = re.search(r"`\$\.?([\w.\[\]]*)`$", said)
    field = missing or place
    return Rejected(said.replace("\0", "?"), field.group(1) or None if field else None)
