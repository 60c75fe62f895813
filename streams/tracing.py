"""Under which trace does this happen? One id from a message to what comes of it, as W3C Trace Context has it; the only door to OpenTelemetry.

Where nobody has set up an SDK no span is kept, and the id goes on all the same: in headers, answers and logs. No attribute of a span
is a customer's number, and none says what somebody did.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["ANSWERED_WITH", "HEADER", "LINKS", "Span", "SpanKind", "heard", "id_of", "present", "said_of", "span", "told"]

HEADER = "traceparent"
"""As W3C Trace Context names it; of a message from several traces there are several."""
ANSWERED_WITH = b"traceresponse"
"""The header of an answer, as W3C Trace Context level 2 proposes it."""
LINKS = 32
"""Traces that a span names at most, where it goes on with what several began."""
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("tierfold")


@contextmanager
def span(name: str, said: Sequence[str] = (), kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """A span that goes on with the trace that is said; with the present one if none is; of several it is a new trace that names them.

    Every line of a log within has its id as `trace`, and the ids of several as `traces`.
    """
    found = {context.trace_id: context for each in said if (context := _read(each)).is_valid}
    several = list(found.values())[:LINKS] if len(found) > 1 else []
    parent = Context() if several else _within(*found.values())
    begun = _TRACER.start_span(name, parent, kind, links=[Link(context) for context in several])
    if not begun.get_span_context().is_valid:
        begun = NonRecordingSpan(_drawn())
    ids = {"trace": id_of(begun), **({"traces": [f"{each.trace_id:032x}" for each in several]} if several else {})}
    kept = {"end_on_exit": True, "record_exception": False, "set_status_on_exception": False}  # what an error says may be somebody's data
    with trace.use_span(begun, **kept), structlog.contextvars.bound_contextvars(**ids):
        try:
            yield begun
        except BaseException as error:
            begun.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def present() -> str | None:
    """The present trace, as a header says it; None outside of all traces."""
    context = trace.get_current_span().get_span_context()
    return said_of(context) if context.is_valid else None


def said_of(context: SpanContext) -> str:
    """A trace, as a header says it."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def id_of(begun: Span) -> str:
    """The id of a span's trace."""
    return f"{begun.get_span_context().trace_id:032x}"


def told(begun: Span, name: str, status: int) -> None:
    """What a question was, by its route, and how it was answered."""
    begun.update_name(name)
    begun.set_attributes({"http.route": name.partition(" ")[2], "http.response.status_code": status})


def heard(headers: Sequence[tuple[str, bytes | None]]) -> list[str]:
    """The traces that the headers of a message name."""
    return [content.decode("ascii", "replace") for name, content in headers if name == HEADER and content]


def _within(context: SpanContext | None = None) -> Context | None:
    return trace.set_span_in_context(NonRecordingSpan(context), Context()) if context else None


def _read(said: str) -> SpanContext:
    return trace.get_current_span(_PROPAGATOR.extract({HEADER: said}, Context())).get_span_context()


def _drawn() -> SpanContext:
    return SpanContext(int.from_bytes(os.urandom(16)) or 1, int.from_bytes(os.urandom(8)) or 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
