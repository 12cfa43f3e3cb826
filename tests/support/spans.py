"""Spans that are kept in memory, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from app.observability import tracing

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
UNRECORDED = "00-2af7651916cd43dd8448eb211c80319c-d7ad6b7169203331-00"


@contextmanager
def recorded(share: float = 1.0) -> Iterator[InMemorySpanExporter]:
    """Make spans for the block, of a share of the traces; yield where ended ones are found."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider, share)
    try:
        yield exporter
    finally:
        tracing.use(None)


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """Return the spans by their names, each of which is there once."""
    found = exporter.get_finished_spans()
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


def trace_of(traceparent: str) -> str:
    return traceparent.split("-")[1]


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Return the ids of a span's trace, of itself and of its parent."""
    assert span.context
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent
