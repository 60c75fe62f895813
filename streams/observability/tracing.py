"""Under which trace does this happen?

One id from a message to what comes of it, as W3C Trace Context has it; the only door to
OpenTelemetry.

Where nobody has set up an SDK no span is kept, and the id goes on all the same: in headers, answers
and logs. No attribute of a span is a customer's number, and none says what somebody did.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = [
    "ANSWERED_WITH",
    "HEADER",
    "LINKS",
    "Span",
    "SpanKind",
    "describe",
    "headers",
    "id_of",
    "present",
    "span",
    "traceparent_of",
    "traceparents",
]

HEADER = "traceparent"
"""As W3C Trace Context names it; of a message from several traces there are several."""
ANSWERED_WITH = b"traceresponse"
"""The header of an answer, as the draft of W3C Trace Context level 3 has it."""
LINKS = 32
"""Traces that are looked at, where something goes on with what several began."""
LONGEST = 512
"""Characters of a header that is read."""
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("tierfold")


@contextmanager
def span(
    name: str, said: Sequence[str], kind: SpanKind, about: Mapping[str, str | int] | None = None
) -> Iterator[Span]:
    """A span that goes on with the trace that is said, if all that it comes of says the same one.

    Else a new trace, with links to those that are said.

    `said` has a word for each message or request that it comes of, empty where that says nothing.
    Whatever is going on around it does not matter: a connection that is kept has requests of many.
    Every line of a log within has the trace's id as `trace`, and those of the links as `traces`.
    """
    found = [_read(each) for each in islice(dict.fromkeys(said), LINKS)]
    known = list({context.trace_id: context for context in found if context.is_valid}.values())
    goes_on = len(known) == 1 and all(context.is_valid for context in found)
    parent = (
        trace.set_span_in_context(NonRecordingSpan(known[0]), Context()) if goes_on else Context()
    )
    links = [] if goes_on else known
    begun = _TRACER.start_span(name, parent, kind, about, [Link(context) for context in links])
    if not begun.get_span_context().is_valid:
        begun = NonRecordingSpan(_drawn())
    ids = {
        "trace": id_of(begun),
        **({"traces": [f"{each.trace_id:032x}" for each in links]} if links else {}),
    }
    kept = {
        "end_on_exit": True,
        "record_exception": False,
        "set_status_on_exception": False,
    }  # what an error says may be somebody's data
    with trace.use_span(begun, **kept), structlog.contextvars.bound_contextvars(**ids):
        try:
            yield begun
        except BaseException as error:
            begun.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def present() -> str | None:
    """The present trace, as a header says it; None outside of all traces."""
    context = trace.get_current_span().get_span_context()
    return traceparent_of(context) if context.is_valid else None


def traceparent_of(context: SpanContext) -> str:
    """A trace, as a header says it."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def id_of(begun: Span) -> str:
    """The id of a span's trace."""
    return f"{begun.get_span_context().trace_id:032x}"


def describe(begun: Span, method: str, route: str, status: int) -> None:
    """What was asked, by its route, and how it was answered."""
    begun.update_name(f"{method} {route}")
    begun.set_attributes(
        {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    )
    if status >= 500:
        begun.set_status(StatusCode.ERROR)


def headers() -> list[tuple[str, bytes]]:
    """The header that says, of a message that is sent, under which trace it is.

    None outside of all traces.
    """
    return [(HEADER, said.encode())] if (said := present()) else []


def traceparents(given: Sequence[tuple[str, bytes | None]]) -> list[str]:
    """The traces that the headers of a message name; an empty word where they name none."""
    return [
        content.decode("ascii", "replace") for name, content in given if name == HEADER and content
    ] or [""]


def _read(said: str) -> SpanContext:
    """What a header says, of whose flags all but the known one are dropped.

    The invalid one if it cannot be read.
    """
    if not 0 < len(said) <= LONGEST:
        return INVALID_SPAN_CONTEXT
    found = trace.get_current_span(
        _PROPAGATOR.extract({HEADER: said}, Context())
    ).get_span_context()
    return SpanContext(
        found.trace_id,
        found.span_id,
        is_remote=True,
        trace_flags=TraceFlags(found.trace_flags & TraceFlags.SAMPLED),
    )


def _drawn() -> SpanContext:
    return SpanContext(
        int.from_bytes(os.urandom(16)) or 1,
        int.from_bytes(os.urandom(8)) or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
