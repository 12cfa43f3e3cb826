"""What names a span on the wire: the field `traceparent` of W3C Trace Context."""

import re
from collections.abc import Iterable

from opentelemetry.trace import SpanContext, TraceFlags

TRACEPARENT = "traceparent"  # the field of HTTP, the header of AMQP
MOST_OF_TRACEPARENT = 64  # characters; 55 in version 00

# A value of the field. A number of `UNRECORDED_BITS` stands for a new trace that is not recorded,
# because few of these are ever written, and the text costs more than the number.
Traceparent = str | int
UNRECORDED_BITS = 192  # the ids of a trace and of a span

_FORM = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LAST_OF_FLAGS = slice(54, 55)
_RECORDED_DIGITS = (*"13579bdf",)  # the last one of the flags, of which the lowest is set


def text_of(traceparent: Traceparent) -> str:
    """Return the value of the field."""
    if isinstance(traceparent, str):
        return traceparent
    ids = f"{traceparent:048x}"
    return f"00-{ids[:32]}-{ids[32:]}-00"


def written(span: SpanContext) -> str:
    """Return what names a span."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def read(text: str) -> SpanContext | None:
    """Return the span that a text names; None if it is not valid."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    ids = int(trace_id, 16), int(span_id, 16)
    if not all(ids) or version == "ff" or (version == "00" and more):
        return None
    return SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def recorded_of(traceparents: Iterable[Traceparent]) -> list[SpanContext]:
    """Return the spans that are recorded; of the others, no more than a digit is looked at."""
    return [
        found
        for each in traceparents
        if isinstance(each, str)
        and each[_LAST_OF_FLAGS] in _RECORDED_DIGITS
        and (found := read(each))
    ]
