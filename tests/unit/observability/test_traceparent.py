"""Which texts name a span on the wire, and which of these is recorded."""

import pytest
from opentelemetry.trace import SpanContext, TraceFlags, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.observability.traceparent import TRACEPARENT, read, recorded_of, text_of, written
from tests.support.spans import OTHER, SENT, UNRECORDED

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TEXTS = [
    SENT,
    UNRECORDED,
    f"00-{TRACE}-{SPAN}-03",
    f"00-{TRACE}-{SPAN}-ff",
    f"cc-{TRACE}-{SPAN}-01",
    f"cc-{TRACE}-{SPAN}-01-more",
    f"cc-{TRACE}-{SPAN}-01more",
    f"00-{TRACE}-{SPAN}-01-more",
    f"00-{TRACE}-{SPAN}-01-",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE[1:]}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}",
    f"00-{TRACE}-{SPAN}-0",
    f"00-{TRACE}-{SPAN}-01\n",
    "junk",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_the_library_reads_it(text: str) -> None:
    extracted = TraceContextTextMapPropagator().extract({TRACEPARENT: text.rstrip("\n")})
    found = get_current_span(extracted).get_span_context()
    known = found if found.is_valid and not text.endswith("\n") else None

    assert read(text) == known
    assert recorded_of([text]) == ([known] if known and known.trace_flags.sampled else [])


def test_those_that_are_recorded_stay_in_order() -> None:
    drawn = 2**190 + 1  # its last bit is no flag

    assert recorded_of([UNRECORDED, drawn, SENT, "junk", OTHER]) == [read(SENT), read(OTHER)]


def test_the_number_of_a_trace_that_is_not_recorded_is_its_ids() -> None:
    number = int(TRACE + SPAN, 16)

    assert text_of(number) == f"00-{TRACE}-{SPAN}-00"
    assert text_of(1) == f"00-{'0' * 32}-{1:016x}-00"
    assert text_of(SENT) == SENT


def test_a_span_is_written_as_it_is_read() -> None:
    span = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1))

    assert written(span) == f"00-{5:032x}-{6:016x}-01"
    assert read(written(span)) == span
