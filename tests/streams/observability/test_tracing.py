"""One id from a message to what comes of it, whether or not anybody keeps spans."""

import re
import socket

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Receive, Scope, Send

from deploy.observability.logs import set_up_logs
from streams.observability import tracing
from streams.observability.tracing import SpanKind, id_of, present, span, traceparents
from streams.web.middleware import Middleware
from tests.conftest import Running

SAID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = SAID.split("-")[1]
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
THERE = OTHER.split("-")[1]
"""Of the examples in W3C Trace Context."""
A_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that an SDK keeps."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_TRACER", provider.get_tracer("test"))
    return exporter


def test_what_is_said_goes_on_and_else_one_is_drawn() -> None:
    """Outside of all traces there is none.

    What cannot be read, or is too long to be read, says none.
    """
    assert present() is None
    with span("one", [SAID], SpanKind.SERVER) as begun:
        assert id_of(begun) == TRACE
        assert structlog.contextvars.get_contextvars()["trace"] == TRACE
    for said in (
        [],
        [""],
        ["nonsense"],
        ["00-00000000000000000000000000000000-0000000000000000-01"],
        [SAID + "-" + 600 * "x"],
    ):
        with span("one", said, SpanKind.SERVER):
            assert A_TRACE.fullmatch(present() or "")
            assert TRACE not in (present() or "")
    assert present() is None
    assert "trace" not in structlog.contextvars.get_contextvars()


def test_what_goes_on_around_it_does_not_matter() -> None:
    """A connection that is kept has requests of many."""
    with (
        span("outer", [SAID], SpanKind.SERVER) as outer,
        span("next", [""], SpanKind.SERVER) as begun,
    ):
        assert id_of(begun) != id_of(outer)


def test_flags_that_nobody_knows_are_not_passed_on() -> None:
    """Only whether it is sampled."""
    with span("one", [SAID[:-2] + "ff"], SpanKind.SERVER):
        assert (present() or "").endswith("-01")


@pytest.mark.parametrize(
    ("said", "named"),
    [([SAID, OTHER, SAID], {TRACE, THERE}), ([SAID, ""], {TRACE}), (["", OTHER], {THERE})],
)
def test_what_comes_of_several_names_them(
    kept: InMemorySpanExporter, said: list[str], named: set[str]
) -> None:
    """One commit takes the messages of many.

    It is a new trace with links, and its lines of a log name them too.
    """
    with span("record", said, SpanKind.CONSUMER) as begun:
        assert set(structlog.contextvars.get_contextvars()["traces"]) == named
    [ended] = kept.get_finished_spans()

    assert id_of(begun) not in (TRACE, THERE)
    assert {f"{link.context.trace_id:032x}" for link in ended.links} == named


def test_messages_of_one_trace_are_not_several() -> None:
    """Whichever of its spans sent them."""
    with span("record", [SAID, f"00-{TRACE}-00f067aa0ba902b7-01"], SpanKind.CONSUMER) as begun:
        assert id_of(begun) == TRACE


def test_spans_have_the_parent_that_is_said(kept: InMemorySpanExporter) -> None:
    """And what breaks ends its span without telling what the error said, which may be
    somebody's data.
    """
    with pytest.raises(ValueError, match="4711"), span("record", [SAID], SpanKind.CONSUMER):
        raise ValueError("customer 4711")
    [ended] = kept.get_finished_spans()

    assert ended.parent is not None
    assert f"{ended.parent.span_id:016x}" == SAID.split("-")[2]
    assert not ended.status.is_ok
    assert "4711" not in ended.to_json()


def test_headers_of_a_message_may_name_several_or_none() -> None:
    """As what is sent together does; a message that names none counts as one that says nothing."""
    assert traceparents(
        [
            ("content-type", b"x"),
            ("traceparent", SAID.encode()),
            ("traceparent", OTHER.encode()),
            ("traceparent", None),
        ]
    ) == [SAID, OTHER]
    assert traceparents([("content-type", b"x")]) == [""]


async def test_an_error_of_ours_is_a_problem_under_its_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """500, with the headers of every answer; its log says where, and not about whom."""

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("customer:4711 is missing")

    set_up_logs("error", "test")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Middleware(broken)), base_url="http://bank"
    ) as client:
        answer = await client.get("/v1/customers/4711", headers={"traceparent": SAID})
    structlog.reset_defaults()
    said = capsys.readouterr().err

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["traceresponse"].split("-")[1] == TRACE
    assert answer.headers["cache-control"] == "no-store"
    assert TRACE in said
    assert "RuntimeError" in said
    assert "4711" not in said


def test_requests_behind_each_other_on_one_connection_have_traces_of_their_own(
    stack: Running,
) -> None:
    """Whatever the first one said."""
    with socket.create_connection(
        (stack.settings.host, stack.settings.port), timeout=10
    ) as connection:
        for header in (f"traceparent: {SAID}\r\n", ""):
            connection.sendall(f"GET /healthz HTTP/1.1\r\nhost: bank\r\n{header}\r\n".encode())
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: bank\r\nconnection: close\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
    first, *others = re.findall(r"traceresponse: 00-([0-9a-f]{32})", said)

    assert first == TRACE
    assert len({TRACE, *others}) == 3
