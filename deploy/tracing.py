"""Where do spans go? To the collector that OpenTelemetry's own variables name; nowhere if they name none."""

import os

from deploy.console import Mendable

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def set_up_traces(process: str) -> None:
    """Send this process's spans, as OTLP over HTTP, where `OTEL_EXPORTER_OTLP_ENDPOINT` says; all other settings are OpenTelemetry's too.

    Raises `Mendable` where the packages for it are missing.
    """
    if not any(map(os.environ.get, ENDPOINTS)):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise Mendable("spans are to be sent, and the packages for it are missing: install tierfold[tracing]") from error
    from opentelemetry import trace

    provider = TracerProvider(resource=Resource.create({"service.name": f"tierfold-{process}", "service.namespace": "tierfold"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
