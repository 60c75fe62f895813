"""What can be read, what is rejected, and that nothing ever raises."""

import json
import time
from base64 import b64encode
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.events import TransactionPosted
from domain.tiering.events import TierOverridden
from streams.ingest.cloudevents import (
    BATCH_LIMIT,
    EVENT_LIMIT,
    read_event,
    read_message,
    read_request,
    write,
    write_batch,
)
from streams.journal import Rejected
from tests.conftest import proposed

PAID = TransactionPosted(transaction="t1", account="a1", amount=-1250, currency="CNY", kind="card")
GOOD: dict[str, Any] = json.loads(write(proposed(PAID)))


def changed(**attributes: Any) -> bytes:
    """A good event with some attributes changed; None takes one away."""
    return json.dumps(
        {name: value for name, value in {**GOOD, **attributes}.items() if value is not None}
    ).encode()


def data(**fields: Any) -> bytes:
    """A good event with some fields of its data changed."""
    return changed(data={**GOOD["data"], **fields})


BAD = [
    (b"not json", None),
    (b'{"specversion": "1.0"', None),
    (b'"\xff\xfe"', None),
    (b"\xff\xfe{}", None),
    (b"[" * 5000, None),
    (b"null", None),
    (b"7", None),
    (changed(specversion="0.3"), "specversion"),
    (changed(specversion=None), "specversion"),
    (changed(id=None), "id"),
    (changed(id=""), "id"),
    (changed(id=5), "id"),
    (changed(id="a\nb"), "id"),
    (changed(source="core\x1b[2J"), "source"),
    (changed(source=None), "source"),
    (changed(type=None), "type"),
    (changed(type="tierfold.unheard-of.v1"), "type"),
    (changed(type="com.other.transaction-posted.v1"), "type"),
    (changed(type="tierfold.transaction-posted.v99"), "type"),
    (changed(subject=None), "subject"),
    (changed(subject="customer 1"), "subject"),
    (changed(subject="model:fund"), "subject"),
    (changed(time=None), "time"),
    (changed(time="yesterday"), "time"),
    (changed(time="2026-03-02T12:00:00"), "time"),
    (changed(time="9999-01-01T00:00:00Z"), "time"),
    (changed(businessdate="1492-01-01"), "businessdate"),
    (changed(businessdate="2026-02-30"), "businessdate"),
    (changed(data=None), "data"),
    (changed(data=[]), "data"),
    (data(amount="12.50"), "data.amount"),
    (data(amount=12.5), "data.amount"),
    (data(amount=10**16), "data.amount"),
    (data(amount=None), "data.amount"),
    (data(currency="yuan"), "data.currency"),
    (data(account=""), "data.account"),
    (data(surprise=1), "data.surprise"),
]


@pytest.mark.parametrize(
    ("raw", "field"), BAD, ids=[f"{number}-{field}" for number, (_, field) in enumerate(BAD)]
)
def test_what_cannot_be_read_is_rejected_and_names_the_field(raw: bytes, field: str | None) -> None:
    """The reason says what, the field says where, and the original bytes are kept."""
    [item] = read_message(None, raw)

    assert isinstance(item.read, Rejected)
    assert item.read.reason
    assert item.read.field == field
    assert item.raw == raw


def test_a_number_beyond_all_numbers_is_rejected() -> None:
    """JSON knows 1e999, which Python reads as infinity and could not write again."""
    candidate = {"offer": "fund", "propensity": 0.5, "value": 1, "priority": 0, "model": "m"}
    decided = {
        "decision": "d",
        "channel": "app",
        "candidates": [candidate],
        "features": {},
        "catalogue": "c",
    }
    raw = changed(type="tierfold.offer-decided.v1", data=decided).replace(
        b'"priority": 0', b'"priority": 1e999'
    )

    assert read_event(raw) == Rejected(
        "Input should be a finite number", "data.candidates.0.priority"
    )


def test_the_day_that_closed_must_be_the_business_date() -> None:
    """A day closed by mistake, years ahead, would end every month until then."""
    raw = changed(type="tierfold.day-closed.v1", subject="bank", data={"date": "2199-12-31"})

    assert read_event(raw) == Rejected("the day that closed is not the business date", "data.date")


def test_one_bad_event_loses_nothing_else_of_its_batch() -> None:
    """Each event of a batch stands for itself, with its own original bytes."""
    good, bad = write(proposed(PAID)), data(amount="x")
    items = read_message(None, write_batch([good, bad, b"{}", good]))

    assert [isinstance(item.read, Rejected) for item in items] == [False, True, True, False]
    assert items[1].raw == bad


def test_an_event_reads_as_it_was_written() -> None:
    """Written and read again is the same, Chinese included."""
    event = proposed(PAID.model_copy(update={"counterparty": "海底捞"}))

    assert read_event(write(event)) == event


def test_binary_mode_says_the_same_as_structured_mode() -> None:
    """Attributes in `ce_` headers, data in the value."""
    headers = [
        (f"ce_{name}", str(value).encode())
        for name, value in GOOD.items()
        if name not in ("data", "cause")
    ]
    [item] = read_message(
        b"customer:1",
        json.dumps(GOOD["data"]).encode(),
        [*headers, ("content-type", b"application/json")],
    )

    assert item.read == proposed(PAID)


def test_binary_mode_names_the_field_too() -> None:
    """A missing header is a missing attribute."""
    [item] = read_message(None, b"{}", [("ce_specversion", b"1.0"), ("ce_id", b"1")])

    assert isinstance(item.read, Rejected)
    assert item.read.field == "source"


def test_the_key_must_be_the_subject() -> None:
    """Another key would put a customer's events into another partition."""
    [item] = read_message(b"customer:2", write(proposed(PAID)))

    assert item.read == Rejected("the message's key is not the event's subject", "subject")


def test_a_null_value_is_rejected() -> None:
    """A tombstone is no interaction."""
    assert read_message(b"customer:1", None)[0].read == Rejected("the value is null")


def test_five_megabytes_are_rejected_and_kept() -> None:
    """Too large an event says so, and its neighbours in a batch are read."""
    large, good = data(counterparty="x" * 5_000_000), write(proposed(PAID))
    items = read_message(None, write_batch([good, large, good]))

    assert [isinstance(item.read, Rejected) for item in items] == [False, True, False]
    assert items[1].read == Rejected(
        f"the event has {len(large)} bytes, and {EVENT_LIMIT} is the limit"
    )
    assert items[1].raw == large


def test_a_batch_of_too_many_is_one_entry() -> None:
    """Two million noughts do not become two million entries."""
    [item] = read_message(None, b"[" + b",".join([b"0"] * (BATCH_LIMIT + 1)) + b"]")

    assert isinstance(item.read, Rejected)


def test_no_reason_holds_what_a_database_refuses() -> None:
    """PostgreSQL takes no NUL in a text."""
    for raw in (changed(specversion="\0"), data(**{"\0": 1})):
        [item] = read_message(None, raw)
        assert isinstance(item.read, Rejected)
        assert "\0" not in f"{item.read.reason}{item.read.field}"


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise(raw: bytes) -> None:
    """Whatever arrives, intake goes on."""
    assert all(isinstance(item.read, Rejected) for item in read_message(None, raw))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(GOOD)), json_values)
def test_no_attribute_whatever_raises(name: str, value: Any) -> None:
    """Any JSON in any attribute is either read or rejected."""
    assert read_message(None, json.dumps({**GOOD, name: value}).encode())


def binary(**headers: str) -> list[tuple[bytes, bytes]]:
    """The headers of a good event in binary mode over HTTP, with some of them changed."""
    said = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "core",
        "ce-type": GOOD["type"],
        "ce-subject": "customer:1",
        "ce-time": GOOD["time"],
        "ce-businessdate": GOOD["businessdate"],
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return [(name.encode(), value.encode("latin-1")) for name, value in said.items()]


BODY = json.dumps(GOOD["data"]).encode()


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ("/core%20deposits", "/core deposits"),
        ('"/core deposits"', "/core deposits"),
        (r'"/core \"old\" deposits"', '/core "old" deposits'),
        ("%E6%A0%B8%E5%BF%83", "核心"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("100%", "100%"),
    ],
)
def test_a_header_over_http_says_what_the_structured_form_does(said: str, source: str) -> None:
    """CloudEvents' HTTP binding 1.0.2, 3.1.3.2: quoted or not, percent-encoded UTF-8."""
    [item] = read_request(BODY, binary(ce_source=said))

    assert not isinstance(item.read, Rejected)
    assert item.read.source == source
    assert item.read == read_event(changed(source=source, id="1"))


@pytest.mark.parametrize(
    ("headers", "field", "reason"),
    [
        (binary(ce_source="%FF"), "source", "not UTF-8"),
        (binary(ce_source="\xe9"), "source", "not UTF-8"),
        ([*binary(), (b"ce-subject", b"customer:2")], "subject", "there twice"),
        ([*binary(), (b"content-type", b"text/plain")], "content-type", "there twice"),
        (binary(content_type="application/xml"), "datacontenttype", "read as JSON"),
    ],
)
def test_a_header_that_cannot_be_believed_is_named(
    headers: list[tuple[bytes, bytes]], field: str, reason: str
) -> None:
    """Bytes that are no text, a name that is there twice, data that is no JSON."""
    [item] = read_request(BODY, headers)

    assert isinstance(item.read, Rejected)
    assert (item.read.field, reason in item.read.reason) == (field, True)


@pytest.mark.parametrize(
    ("kind", "count", "field"),
    [
        (b"application/cloudevents+json", 1, None),
        (b"application/cloudevents+json; charset=utf-8", 1, None),
        (b"application/json", 1, None),
        (b"application/xml", 1, "content-type"),
        (b"text/plain", 1, "content-type"),
    ],
)
def test_a_structured_event_says_that_it_is_json(
    kind: bytes, count: int, field: str | None
) -> None:
    """Or says nothing of it."""
    items = read_request(write(proposed(PAID)), [(b"content-type", kind)])

    assert len(items) == count
    assert [getattr(item.read, "field", None) for item in items] == [field]


def test_an_empty_batch_has_no_events() -> None:
    """Nothing came, and nothing is wrong with it."""
    assert read_request(b"[]", [(b"content-type", b"application/cloudevents-batch+json")]) == []
    [on_kafka] = read_message(None, b"[]")
    assert isinstance(on_kafka.read, Rejected), "every message has an outcome"


def test_kafka_names_the_prefix_that_it_uses() -> None:
    """Whose sender has the prefix of HTTP is told so."""
    [item] = read_message(None, BODY, [("ce-specversion", b"1.0"), ("ce-id", b"1")])

    assert isinstance(item.read, Rejected)
    assert item.read.reason == "on Kafka attributes are in headers ce_, not ce-"


def test_on_kafka_a_percent_sign_is_a_percent_sign() -> None:
    """CloudEvents' Kafka binding 1.0.2, 3.2.3: UTF-8, and nothing encoded."""
    headers = [
        (name.decode().replace("ce-", "ce_"), value) for name, value in binary(ce_source="a%20b")
    ]
    [item] = read_message(None, BODY, headers)

    assert not isinstance(item.read, Rejected)
    assert item.read.source == "a%20b"


@given(more=st.dictionaries(st.text(max_size=5), st.integers(), min_size=1), spaced=st.booleans())
def test_a_name_is_there_twice_wherever_json_has_it_twice(
    more: dict[str, int], *, spaced: bool
) -> None:
    """An extension of any names is let pass once, and set aside twice; in any layout."""
    colon = '" : ' if spaced else '":'
    members = [json.dumps(name)[:-1] + colon + str(value) for name, value in more.items()]
    once = changed()[:-1] + b',"x":{' + ",".join(members).encode() + b"}}"
    twice = changed()[:-1] + b',"x":{' + ",".join([*members, members[0]]).encode() + b"}}"

    assert not isinstance(read_event(once), Rejected)
    assert isinstance(read_event(twice), Rejected)


@pytest.mark.parametrize("depth", [990, 994, 996, 998, 1_500])
def test_a_type_of_any_depth_raises_nothing(depth: int) -> None:
    """Though it is read once more, for its other faults."""
    deep = changed(type="TYPE").replace(b'"TYPE"', b"[" * depth + b"]" * depth)

    assert isinstance(read_event(deep), Rejected)


@pytest.mark.parametrize(
    "subject", ["Zhang San 13800138000", "a\0b", "\ud83d"], ids=["a name", "a NUL", "half a sign"]
)
def test_no_reason_repeats_what_was_sent(subject: str) -> None:
    """It is neither sealed nor forgotten, and PostgreSQL takes no NUL."""
    sent = json.dumps({**GOOD, "subject": subject, "specversion": subject}).encode()
    for raw in (sent, changed(subject=subject)):
        read = read_event(raw)
        assert isinstance(read, Rejected)
        assert not [part for part in ("Zhang", "1380", "\0", "\ud83d") if part in read.reason]


def test_what_is_cut_off_misses_nothing_else() -> None:
    """Of what is no JSON the parts cannot be told."""
    cut = read_event(changed(id=5)[:-1])

    assert isinstance(cut, Rejected)
    assert "missing" not in cut.reason


def test_a_name_among_very_many_is_found_soon() -> None:
    """In time that grows with the event, and not with its square."""
    many = ",".join(f'"x{number}":1' for number in range(18_000))
    begun = time.process_time()
    read = read_event(changed()[:-1] + b',"x":{' + many.encode() + b',"x17999":2}}')

    assert read == Rejected("this name is there twice", "x17999")
    assert time.process_time() - begun < 1


def test_what_people_decide_is_held_to_the_same_rule() -> None:
    """A tier that is named twice in a word of a supervisor's."""
    by_hand = TierOverridden(tier="gold", approver="li.wei", reason="x", until=date(2027, 1, 1))
    once = write(proposed(by_hand))
    twice = once.replace(b'"tier":"gold"', b'"tier":"silver","tier":"gold"')

    assert not isinstance(read_event(once), Rejected)
    assert read_event(twice) == Rejected("this name is there twice", "tier")


HIDDEN = b'{"subject":"customer:2",' + changed()[1:]


@pytest.mark.parametrize(
    "raw",
    [
        HIDDEN,
        HIDDEN[:-1] + b',"x":' + b"9" * 5_000 + b"}",
        HIDDEN[:-1] + b',"x":"\xff"}',
        HIDDEN[:-1] + b',"x":' + b"[" * 3_000 + b"]" * 3_000 + b"}",
        b'{"subject":"customer:2",' + changed(data=None, data_base64=b64encode(BODY).decode())[1:],
        changed(data=None, data_base64=b64encode(BODY[:-1] + b',"kind":"x"}').decode()),
    ],
    ids=["plain", "a long number", "no text", "deep", "base64", "in base64"],
)
def test_no_name_is_hidden_from_the_second_reading(raw: bytes) -> None:
    """What one reader of JSON takes and another does not is taken by nobody here."""
    assert isinstance(read_event(raw), Rejected)
