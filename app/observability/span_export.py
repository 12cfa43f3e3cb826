"""Export spans to a collector by OTLP over HTTP; this needs the extra `otel`."""

import sys
from importlib.util import find_spec

from opentelemetry.trace import TracerProvider

from app.observability.tracing import use

NO_EXTRA = """\
OTEL_EXPORTER_OTLP_ENDPOINT needs the extra `otel`, which is not installed:

  pip install --require-hashes --no-deps -r requirements-otel.lock"""
_SPAN_SECONDS = 5.0  # how long a span waits for others to be sent with


def export_spans(endpoint: str, share: float, service: str) -> None:
    """Make spans of a `share` of traces from now on, if there is an `endpoint`.

    Only mains call this. Exits if the extra is missing.
    """
    if endpoint:
        if any(find_spec(f"opentelemetry.{each}") is None for each in ("sdk", "exporter")):
            sys.exit(NO_EXTRA)
        use(exporting(endpoint, service), share)


def exporting(endpoint: str, service: str) -> TracerProvider:
    """Return a provider whose spans go to `endpoint`.

    It records all that it is asked for; `tracing` asks for a share of the traces. Spans that cannot
    be sent are dropped, and the exporter's log says so.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as Provider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    provider = Provider(
        sampler=ALWAYS_ON,
        resource=Resource.create({"service.name": service}),
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=_SPAN_SECONDS * 1000)
    )
    return provider
