"""Spans of OpenTelemetry, and their context on the wire (W3C Trace Context).

Only mains choose the provider. Without one, nothing here makes a span, and the cost is the look at
one variable.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from random import getrandbits, random
from time import monotonic_ns, time_ns
from typing import Any, Protocol, runtime_checkable

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, Tracer
from opentelemetry.trace import SpanKind as SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app import errors

TRACEPARENT = "traceparent"  # the field of HTTP, the header of AMQP
MOST_OF_TRACEPARENT = 64  # characters; 55 in version 00
_FLUSH_MILLISECONDS = 3000
_RECORDED_DIGITS = (*"13579bdf",)  # the last one of a `traceparent` whose lowest flag is set

Attributes = Mapping[str, str | int | float | bool]

_propagator = TraceContextTextMapPropagator()
_provider: trace.TracerProvider | None = None
_tracer: Tracer | None = None
_share = 1.0
# What names the trace of work that is not recorded. No span is made for it, because an unrecorded
# one of the library costs a tenth of a prediction.
_unrecorded: ContextVar[str | None] = ContextVar("unrecorded", default=None)


@runtime_checkable
class Flushable(Protocol):
    """A provider that may still have to send spans."""

    def force_flush(self, timeout_millis: int) -> bool:
        """Send the spans that have ended."""


def use(provider: trace.TracerProvider | None, share: float = 1.0) -> None:
    """Make spans of `share` of the traces that begin here from now on, by a provider, or none."""
    global _provider, _tracer, _share
    _provider, _share = provider, share
    _tracer = provider.get_tracer("warren") if provider else None


def flush() -> None:
    """Send the spans that have ended, before the process does."""
    if isinstance(_provider, Flushable):
        _provider.force_flush(_FLUSH_MILLISECONDS)


def is_on() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    *,
    parents: Sequence[str] | None = None,
) -> AbstractContextManager[Span | None]:
    """Make a span that is the current one for the block; None if it is not recorded.

    Its parent is the current span; without one that is recorded there is no span. Or it goes on
    from `parents`, which are values of `traceparent`: `unrecorded` says whether that is recorded.
    """
    if _tracer is None:
        return nullcontext()
    if parents is None:
        return nullcontext() if _current() is None else _span(_tracer, name, kind, attributes)
    if left_out := unrecorded(parents):
        return _left_out(left_out)
    return recorded_span(name, kind, attributes, parents)


def unrecorded(parents: Sequence[str]) -> str | None:
    """Return what names the trace of work that is not recorded, or None if the work is recorded.

    It is if one of `parents` is, and not if none of them is. Without any, a trace begins, and
    chance decides.
    """
    if _recorded(parents):
        return None
    for each in parents:
        if _read(each).is_valid:
            return each
    if random() < _share:  # noqa: S311  no secret
        return None
    ids = f"{getrandbits(192):048x}"
    return f"00-{ids[:32]}-{ids[32:]}-00"


def leave_out(traceparent: str) -> None:
    """Make no spans from here on, to the end of this task; `traceparent` names its trace."""
    _unrecorded.set(traceparent)


def recorded_span(
    name: str, kind: SpanKind, attributes: Attributes | None, parents: Sequence[str]
) -> AbstractContextManager[Span | None]:
    """Make a span of work that is recorded, as `span` does.

    Its parent is the first of `parents` that is recorded; the others that are become links. An
    error that leaves the block is recorded by its type, which is one word; details stay in the
    logs.
    """
    if _tracer is None:
        return nullcontext()
    known = _recorded(parents)
    first = trace.NonRecordingSpan(known[0]) if known else trace.INVALID_SPAN
    context = trace.set_span_in_context(first, Context())
    return _span(_tracer, name, kind, attributes, context, [Link(each) for each in known[1:]])


def annotate(attributes: Attributes) -> None:
    """Add attributes to the current span, if there is one."""
    if current := _current():
        current.set_attributes(attributes)


def add_span(name: str, begin: float, end: float) -> None:
    """Add a span that has ended below the current one; times are those of `monotonic`."""
    if _tracer is not None and _current():
        since = time_ns() - monotonic_ns()  # the wall clock at the zero of the other one
        made = _tracer.start_span(name, start_time=since + int(begin * 1e9))
        made.end(since + int(end * 1e9))


def traceparent() -> str | None:
    """Return what names the current span on the wire, or None if there is none."""
    if _tracer is None:
        return None
    if left_out := _unrecorded.get():
        return left_out
    carrier: dict[str, str] = {}
    if _current():
        _propagator.inject(carrier)
    return carrier.get(TRACEPARENT)


def trace_ids() -> tuple[str, str] | None:
    """Return the ids of the current trace and span in hexadecimal digits, as logs have them."""
    if _tracer is None:
        return None
    if left_out := _unrecorded.get():
        _, trace_id, span_id, _ = left_out.split("-", 3)
        return trace_id, span_id
    current = _current()
    if current is None:
        return None
    found = current.get_span_context()
    return trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)


def _current() -> Span | None:
    """Return the current span, if it is recorded."""
    if _tracer is None or _unrecorded.get():
        return None
    found = trace.get_current_span()
    return found if found.is_recording() else None


@contextmanager
def _left_out(traceparent: str) -> Iterator[None]:
    token = _unrecorded.set(traceparent)
    try:
        yield None
    finally:
        _unrecorded.reset(token)


@contextmanager
def _span(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Attributes | None,
    context: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    token = _unrecorded.set(None)  # of whoever began the task, such as another request
    try:
        with tracer.start_as_current_span(
            name,
            context,
            kind,
            attributes,
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            try:
                yield made
            except BaseException as error:
                known = error.type if isinstance(error, errors.WarrenError) else None
                fail(made, known or type(error).__name__)
                raise
    finally:
        _unrecorded.reset(token)


def fail(made: Span, error_type: str) -> None:
    """Say that what a span covers has failed."""
    made.set_attribute("error.type", error_type)
    made.set_status(Status(StatusCode.ERROR))


def _recorded(parents: Sequence[str]) -> list[SpanContext]:
    """Return those of the parents that are recorded; only what may be one is read."""
    found = [_read(each) for each in parents if each[-1:] in _RECORDED_DIGITS]
    return [each for each in found if each.is_valid and each.trace_flags.sampled]


def _read(text: str) -> SpanContext:
    """Return the span that a `traceparent` names; one that is not valid names none."""
    carrier: dict[str, Any] = {TRACEPARENT: text}
    found = trace.get_current_span(_propagator.extract(carrier, Context()))
    return found.get_span_context()
