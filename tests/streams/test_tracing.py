"""One id from a message to what comes of it, whether or not anybody keeps spans."""

import re

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streams import tracing
from streams.tracing import heard, id_of, present, span

SAID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
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
    """Outside of all traces there is none; what cannot be read says none."""
    assert present() is None
    with span("one", [SAID]) as begun:
        assert id_of(begun) == SAID.split("-")[1]
        assert structlog.contextvars.get_contextvars()["trace"] == SAID.split("-")[1]
    for said in ([], ["nonsense"], ["00-00000000000000000000000000000000-0000000000000000-01"]):
        with span("one", said):
            assert A_TRACE.fullmatch(present() or "")
            assert present() != SAID
    assert present() is None
    assert "trace" not in structlog.contextvars.get_contextvars()


def test_within_a_trace_all_is_of_that_trace() -> None:
    """What nobody says belongs to what goes on."""
    with span("outer", [SAID]) as outer, span("inner") as inner:
        assert id_of(inner) == id_of(outer)


def test_what_comes_of_several_names_them(kept: InMemorySpanExporter) -> None:
    """One commit takes the messages of many: it is a new trace with links, and its lines of a log name them too."""
    with span("record", [SAID, OTHER, SAID]) as begun:
        assert set(structlog.contextvars.get_contextvars()["traces"]) == {SAID.split("-")[1], OTHER.split("-")[1]}
    [ended] = kept.get_finished_spans()

    assert id_of(begun) not in SAID + OTHER
    assert {f"{link.context.trace_id:032x}" for link in ended.links} == {SAID.split("-")[1], OTHER.split("-")[1]}


def test_spans_have_the_parent_that_is_said(kept: InMemorySpanExporter) -> None:
    """And what breaks ends its span without telling what the error said, which may be somebody's data."""
    with pytest.raises(ValueError, match="4711"), span("record", [SAID]):
        raise ValueError("customer 4711")
    [ended] = kept.get_finished_spans()

    assert ended.parent is not None
    assert f"{ended.parent.span_id:016x}" == SAID.split("-")[2]
    assert not ended.status.is_ok
    assert "4711" not in ended.to_json()


def test_headers_of_a_message_may_name_several() -> None:
    """As what is sent together does."""
    assert heard([("content-type", b"x"), ("traceparent", SAID.encode()), ("traceparent", OTHER.encode()), ("traceparent", None)]) == [SAID, OTHER]
