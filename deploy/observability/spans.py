"""Where do spans go?

To the collector that OpenTelemetry's own variables name; nowhere if they name none.
"""

import os

from deploy.terminal import UserError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def set_up_traces(process: str) -> None:
    """Send this process's spans, as OTLP over HTTP, where `OTEL_EXPORTER_OTLP_ENDPOINT` says.

    Headers, time-outs, sampler, batches, resource attributes and `OTEL_SERVICE_NAME` are
    OpenTelemetry's own variables too. A process that ends does not wait for its last spans: a
    collector that is away keeps nobody. Raises `UserError` where the packages for it are missing.
    """
    if not any(map(os.environ.get, ENDPOINTS)):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UserError(
            "spans are to be sent, and the packages for it are missing: install tierfold[tracing]"
        ) from error
    from opentelemetry import trace

    name = os.environ.get("OTEL_SERVICE_NAME", f"tierfold-{process}")
    provider = TracerProvider(
        resource=Resource.create({"service.name": name, "service.namespace": "tierfold"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
