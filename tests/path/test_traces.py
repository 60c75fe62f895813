"""From a question over HTTP to what is folded of it.

One trace, in spans and in logs, and no customer's number in any of them.
"""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from domain.customers.events import ChannelVisited
from streams.ingest.cloudevents import STRUCTURED, write
from tests.conftest import Running, proposed, settings_in, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
CUSTOMER = "47110815"
ABOUT_SOMEBODY = "GET /v1/customers/{customer}/tier"
"""A question in whose path the customer's number was."""


class Collector(ThreadingHTTPServer):
    """Takes spans as OpenTelemetry's collector does, and keeps them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.bodies: list[bytes] = []

    def spans(self) -> dict[str, list[Any]]:
        """The spans by the service that they are of."""
        found: dict[str, list[Any]] = {}
        for body in [*self.bodies]:
            for some in ExportTraceServiceRequest.FromString(body).resource_spans:
                [service] = [
                    each.value.string_value
                    for each in some.resource.attributes
                    if each.key == "service.name"
                ]
                found.setdefault(service, []).extend(
                    each for scope in some.scope_spans for each in scope.spans
                )
        return found


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        if self.path != "/v1/traces" or len(body) < size:
            self.send_error(400)  # of another test that means a port that was its own, or cut off
            return
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of one's own."""
    with Collector() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def traced(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    """A stack that sends its spans there, and logs all it has to say."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("TIERFOLD_LOG_LEVEL", "debug")
    with Running(settings_in(tmp_path)) as made:
        yield made


def test_one_trace_from_the_question_to_the_fold(traced: Running, collector: Collector) -> None:
    """The sender's own trace goes on through web, intake and agents, and comes back with
    the answer.
    """
    event = write(proposed(ChannelVisited(channel="app"), "visit", f"customer:{CUSTOMER}"))
    said = f"00-{TRACE}-b7ad6b7169203331-01"
    answer = traced.client.post(
        "/v1/interactions", content=event, headers={"content-type": STRUCTURED, "traceparent": said}
    )
    assert answer.status_code == 201
    assert answer.headers["traceresponse"].split("-")[1] == TRACE
    traced.settle()
    traced.client.get(f"/v1/customers/{CUSTOMER}/tier").raise_for_status()

    wait_until(
        lambda: set(_names(collector)) >= {"tierfold-web", "tierfold-intake", "tierfold-agents"}
    )
    wait_until(
        lambda: any(each.name == ABOUT_SOMEBODY for each in collector.spans()["tierfold-web"])
    )
    names = _names(collector)
    assert names["tierfold-web"] == {"POST /v1/interactions"}
    assert names["tierfold-intake"] == {"record"}
    assert names["tierfold-agents"] == {"fold"}
    for process, event_name in (
        ("web", "answered"),
        ("intake", "batch_recorded"),
        ("agents", "batch_folded"),
    ):
        assert event_name in _lines(traced, process), process
        assert CUSTOMER not in (traced.settings.data_dir / "logs" / f"{process}.log").read_text(), (
            process
        )
    assert all(CUSTOMER.encode() not in body for body in collector.bodies)


def _names(collector: Collector) -> dict[str, set[str]]:
    """The names of the spans of our trace, by service."""
    ours = {
        service: {each.name for each in spans if each.trace_id.hex() == TRACE}
        for service, spans in collector.spans().items()
    }
    return {service: names for service, names in ours.items() if names}


def _lines(traced: Running, process: str) -> set[str]:
    """What a process logged of our trace."""
    lines = (traced.settings.data_dir / "logs" / f"{process}.log").read_text().splitlines()
    return {
        said["event"]
        for line in lines
        if line.startswith("{") and (said := json.loads(line)).get("trace") == TRACE
    }
