"""What does a message say?

CloudEvents 1.0 over Kafka: structured, binary and batched, read and written.

Nothing that arrives may raise: what cannot be read becomes `Rejected`, with the field at fault.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Meta, Raw
from pydantic import ValidationError

from domain.bank.events import DayClosed
from domain.envelope import Proposed
from domain.event_types import EVENT_BY_TYPE, PREFIX, TYPE_BY_EVENT
from domain.upcasters import UPCASTERS, upcast
from streams.ingest.signature import OURS
from streams.journal import Rejected

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
EVENT_LIMIT = 256 * 1024
"""Bytes of one event."""
BATCH_LIMIT = 10_000
"""Events in one message."""
SUBJECT = re.compile(r"bank|shard:[0-9]{1,4}|(?!shard:)[a-z]+:[A-Za-z0-9_.\-:/@#]{1,190}")
SENT = re.compile(r"Invalid enum value .*(?= - at `)", re.DOTALL)
"""Where a parser repeats what was sent."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
YEARS = range(1850, 2200)
APART = timedelta(days=366)
FAULTS = 10
"""Faults of one event that are named."""
REQUIRED = 7
"""Attributes that every structured event has."""
READABLE = {PREFIX + event_type: event_type for event_type in (*UPCASTERS, *EVENT_BY_TYPE)}

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Headers = Sequence[tuple[str, bytes | None]]


class CloudEvent(msgspec.Struct, frozen=True, omit_defaults=True):
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
    data_base64: str | None = None
    cause: Annotated[str, Meta(max_length=500)] | None = None


class Item(NamedTuple):
    """One event of a message: its original bytes, and what could be read of it."""

    raw: bytes
    read: Proposed | Rejected


EMPTY = Rejected("the batch is empty")
_event = msgspec.json.Decoder(CloudEvent)
_batch = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


def read_message(key: bytes | None, value: bytes | None, headers: Headers = ()) -> list[Item]:
    """Every event in a Kafka message, each readable or rejected by itself.

    A key, if there is one, must be the subject of every event in the message. Attributes in headers
    are UTF-8 under `ce_` (CloudEvents' Kafka binding 1.0.2, 3.2.3).
    """
    if value is None:
        return [Item(b"", Rejected("the value is null"))]
    said = [(name.lower(), content or b"") for name, content in headers]
    if any(name.startswith("ce-") for name, _ in said):
        return [Item(value, Rejected("on Kafka attributes are in headers ce_, not ce-"))]
    return [_keyed(key, item) for item in _read(value, said)]


def read_request(value: bytes, headers: Iterable[tuple[bytes, bytes]]) -> list[Item]:
    """Every event in the body of an HTTP request, each readable or rejected by itself.

    Attributes in headers are percent-encoded UTF-8 under `ce-`, quoted or not (CloudEvents' HTTP
    binding 1.0.2, 3.1.3).
    """
    said = [
        (f"ce_{name[3:].decode('latin-1')}", _unquoted(content))
        if name.startswith(b"ce-")
        else (name.decode("latin-1"), content)
        for name, content in headers
    ]
    items = _read(value, said)
    return [] if [item.read for item in items] == [EMPTY] else items


def _read(value: bytes, headers: Sequence[tuple[str, bytes]]) -> list[Item]:
    """Every event in a message with these headers, whose names are in lower case."""
    named: dict[str, str] = {}
    for name, content in headers:
        if name != "content-type" and not name.startswith("ce_"):
            continue
        if name in named:
            return [Item(value, Rejected("this header is there twice", name.removeprefix("ce_")))]
        try:
            named[name] = content.decode()
        except UnicodeDecodeError:
            return [Item(value, Rejected("this header is not UTF-8", name.removeprefix("ce_")))]
    kind = named.pop("content-type", "").partition(";")[0].strip().lower()
    if "ce_specversion" in named:
        if kind and not _is_json(kind):
            return [
                Item(value, Rejected(f"data is read as JSON, not as {kind}", "datacontenttype"))
            ]
        return [Item(value, _read_binary(named, value))]
    if kind and kind not in (STRUCTURED, BATCH) and not _is_json(kind):
        said = f"an event is read as {STRUCTURED} or {BATCH}, not as {kind}"
        return [Item(value, Rejected(said, "content-type"))]
    if kind == BATCH or value.lstrip()[:1] == b"[":
        return _read_batch(value)
    return [Item(value, read_event(value))]


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _unquoted(content: bytes) -> bytes:
    """The value of an HTTP header: without quotes (RFC 9110, 5.6.4), and percent-decoded."""
    if len(content) > 1 and content[:1] == content[-1:] == b'"':
        content = re.sub(rb"\\(.)", rb"\1", content[1:-1])
    return unquote_to_bytes(content)


def read_event(raw: bytes) -> Proposed | Rejected:
    """The event in the JSON of one structured CloudEvent."""
    if len(raw) > EVENT_LIMIT:
        return Rejected(f"the event has {len(raw)} bytes, and {EVENT_LIMIT} is the limit")
    try:
        event = _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _rejected(error, _parts(raw), strict=True)
    there = REQUIRED + (len(event.data) > 0) + (event.cause is not None)
    return _once(raw, there, _interpret(event), has_data=event.data_base64 is None)


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
    return [Item(raw, read_event(raw)) for raw in raws] or [Item(value, EMPTY)]


def _read_binary(named: Mapping[str, str], value: bytes) -> Proposed | Rejected:
    attributes: dict[str, Any] = {
        name.removeprefix("ce_"): content
        for name, content in named.items()
        if name.startswith("ce_")
    }
    if len(value) > EVENT_LIMIT:
        return Rejected(f"the event has {len(value)} bytes, and {EVENT_LIMIT} is the limit")
    try:
        event = msgspec.convert({**attributes, "data": Raw(value)}, CloudEvent, strict=False)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        return _rejected(error, {**attributes, "data": value}, strict=False)
    return _once(value, 0, _interpret(event), has_data=True)


def _once(
    raw: bytes, there: int, read: Proposed | Rejected, *, has_data: bool
) -> Proposed | Rejected:
    """What was read, unless a JSON name is there twice, at any depth: parsers differ in which
    counts.

    As many colons behind quotes as there are attributes (`there`) and fields say that each is there
    once, if no space lies between. Where that is not so, the JSON is read once more.
    """
    if isinstance(read, Rejected) or read.source.startswith(OURS):
        return read  # what is ours is signed, and written by our own hand
    fields = len(read.data.model_fields_set) if has_data else 0
    if raw.count(b'":') == there + fields and not (
        b'" ' in raw or b'"\n' in raw or b'"\t' in raw or b'"\r' in raw
    ):
        return read
    return _repeated(raw) or read


def _repeated(raw: bytes) -> Rejected | None:
    """The first name that one object of a JSON text has twice; or why that cannot be told."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise _RepeatedError(name)
            found[name] = value
        return found

    try:
        json.loads(raw, object_pairs_hook=once)
    except _RepeatedError as error:
        return Rejected("this name is there twice", str(error).replace("\0", "?"))
    except (ValueError, RecursionError):
        return Rejected("not every reader of JSON reads this")
    return None


class _RepeatedError(Exception):
    """A name is there twice."""


def _interpret(event: CloudEvent) -> Proposed | Rejected:
    wrong = [*_of_attributes(event)]
    if event.type not in READABLE:
        return _together(wrong)
    data = _data_of(event)
    read = data if isinstance(data, Rejected) else _with_data(event, READABLE[event.type], data)
    if not wrong:
        return read
    named = {each.field for each in wrong}
    more = [read] if isinstance(read, Rejected) and read.field not in named else []
    return _together([*wrong, *more])


def _of_attributes(event: CloudEvent) -> Iterator[Rejected]:
    """What is wrong with an event beside its data."""
    if event.type not in READABLE:
        yield Rejected("this type is not in the catalogue", "type")
    if not SUBJECT.fullmatch(event.subject):
        yield Rejected("a subject is `bank` or `kind:name`, as in customer:1001", "subject")
    for name, said in (("id", event.id), ("source", event.source)):
        if not said.isprintable() and CONTROL.search(said):
            yield Rejected("it has a control character", name)
    time, day = event.time.date(), event.businessdate
    if time.year not in YEARS or day.year not in YEARS:
        said = f"the year must be within {YEARS.start} and {YEARS.stop - 1}"
        for name, each in (("time", time), ("businessdate", day)):
            if each.year not in YEARS:
                yield Rejected(said, name)
    elif abs(time - day) > APART:
        yield Rejected(
            f"the business date is more than {APART.days} days from the time", "businessdate"
        )


def _together(faults: Sequence[Rejected]) -> Rejected:
    """Every fault of an event; the field of the first, and the others named behind it."""
    first, *others = faults[:FAULTS]
    said = "; ".join([first.reason, *(f"{each.field}: {each.reason}" for each in others)])
    return Rejected(said.replace("\0", "?"), first.field)  # PostgreSQL takes no NUL in a text


def _data_of(event: CloudEvent) -> bytes | Rejected:
    data = bytes(event.data)
    if event.data_base64 is not None:
        try:
            data = b"" if data else b64decode(event.data_base64, validate=True)
        except ValueError:
            return Rejected("it is not base64", "data_base64")
        if data and (twice := _repeated(data)):
            return twice
    return data or Rejected("data is missing, or there twice: as data and as data_base64", "data")


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
        return _rejected_for(error)
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


def _rejected_for(error: ValidationError) -> Rejected:
    """Every fault of what an event says."""
    return _together(
        [
            Rejected(each["msg"], ".".join(["data", *map(str, each["loc"])]).replace("\0", "?"))
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    )


def _keyed(key: bytes | None, item: Item) -> Item:
    if key is None or isinstance(item.read, Rejected) or key == item.read.stream.encode():
        return item
    return Item(item.raw, Rejected("the message's key is not the event's subject", "subject"))


def _rejected(
    error: Exception, parts: Mapping[str, Any] | None = None, *, strict: bool = True
) -> Rejected:
    """What a parser says; of an event of which the `parts` can be told, what it says of each.

    Parts are the bytes of JSON, or, not `strict`, the texts of headers.
    """
    said = str(error)
    missing = re.search(r"required field `(\w+)`", said)
    place = re.search(r"`\$\.?([\w.\[\]]*)`$", said)
    field = missing or place
    first = Rejected(_told(error), field.group(1) or None if field else None)
    if parts is None or first.field is None:
        return _together([first])
    others = _of_parts(parts, strict=strict)
    return _together([first, *(each for each in others if each.field != first.field)])


def _told(error: Exception) -> str:
    """What a parser says, without what was sent."""
    return SENT.sub("Invalid enum value", str(error))


def _of_parts(parts: Mapping[str, Any], *, strict: bool) -> Iterator[Rejected]:
    """What is wrong with each attribute by itself, and with the data where the type is known."""
    found: dict[str, Any] = {}
    for each in msgspec.structs.fields(CloudEvent):
        if each.name not in parts:
            if each.required:
                yield Rejected("it is missing", each.name)
        elif each.name != "data":
            try:
                part = parts[each.name]
                found[each.name] = (
                    msgspec.json.decode(part, type=each.type)
                    if strict
                    else msgspec.convert(part, each.type, strict=False)
                )
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield Rejected(_told(error), each.name)
    kind = EVENT_BY_TYPE.get(READABLE.get(found.get("type", ""), ""))
    if kind is not None and "data" in parts:
        try:
            kind.__pydantic_validator__.validate_json(bytes(parts["data"]))
        except ValidationError as error:
            yield _rejected_for(error)


def _parts(raw: bytes) -> Mapping[str, Raw] | None:
    """The members of a JSON object; None for what is none."""
    try:
        return _members.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
