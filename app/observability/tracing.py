"""Spans of OpenTelemetry, and which of them is the current one.

Only mains choose the provider. Without one, nothing here makes a span, and the cost is the look at
one variable.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from random import getrandbits, random
from time import monotonic_ns, time_ns
from typing import Protocol, runtime_checkable

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, Tracer
from opentelemetry.trace import SpanKind as SpanKind

from app import errors
from app.observability.traceparent import (
    UNRECORDED_BITS,
    Traceparent,
    read,
    recorded_of,
    text_of,
    written,
)

_FLUSH_MILLISECONDS = 3000

Attributes = Mapping[str, str | int | float | bool]
MakeAttributes = Callable[[], Attributes]

_provider: trace.TracerProvider | None = None
_tracer: Tracer | None = None
_share = 1.0
_NOTHING = nullcontext()
# The current span, or what names the trace of work that is not recorded. No span is made for that,
# because an unrecorded one of the library costs a tenth of a prediction.
_here: ContextVar[Span | Traceparent | None] = ContextVar("here", default=None)


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
    attributes: Attributes | MakeAttributes | None = None,
    *,
    parents: Sequence[Traceparent] | None = None,
) -> AbstractContextManager[Span | None]:
    """Make a span that is the current one for the block; None if it is not recorded.

    Its parent is the current span; without one that is recorded there is no span. Or it goes on
    from `parents`: it is recorded if one of them is, and not if none of them is; without any, a
    trace begins, and chance decides. The first one that is recorded is its parent then, and the
    others that are become links. `attributes` that are a function are asked for if it is recorded.

    An error that leaves the block is recorded by its type, which is one word; details stay in the
    logs.
    """
    if _tracer is None:
        return _NOTHING
    if parents is None:
        above = current()
        return _NOTHING if above is None else _span(_tracer, name, kind, attributes, above)
    known = recorded_of(parents)
    if not known and (named := _unrecorded(parents)) is not None:
        return _LeftOut(named)
    return _going_on(_tracer, name, kind, attributes, known)


def leave_out(parents: Sequence[Traceparent]) -> bool:
    """Make no spans from here on, to the end of this task, unless its work is to be recorded.

    Tells whether it is left out. Whether it is recorded depends on `parents`, as `span` says.
    """
    if not parents:  # as most requests of HTTP
        if random() < _share:  # noqa: S311  no secret
            return False
        _here.set(getrandbits(UNRECORDED_BITS))
        return True
    if recorded_of(parents) or (named := _unrecorded(parents)) is None:
        return False
    _here.set(named)
    return True


def recorded_span(
    name: str, kind: SpanKind, attributes: Attributes, parents: Sequence[Traceparent]
) -> AbstractContextManager[Span | None]:
    """Make a span as `span` does, of work that `leave_out` has not left out."""
    if _tracer is None:
        return _NOTHING
    return _going_on(_tracer, name, kind, attributes, recorded_of(parents))


def current() -> Span | None:
    """Return the current span, None if the work is not recorded."""
    if _tracer is None:
        return None
    here = _here.get()
    return None if here is None or isinstance(here, (str, int)) else here


def annotate(attributes: Attributes) -> None:
    """Add attributes to the current span, if there is one."""
    if made := current():
        made.set_attributes(attributes)


def add_span(name: str, begin: float, end: float) -> None:
    """Add a span that has ended below the current one; times are those of `monotonic`."""
    if _tracer is not None and (above := current()):
        since = time_ns() - monotonic_ns()  # the wall clock at the zero of the other one
        made = _tracer.start_span(name, _below(above), start_time=since + int(begin * 1e9))
        made.end(since + int(end * 1e9))


def as_parent() -> Traceparent | None:
    """Return what names the current span among the `parents` of another one of this process."""
    if _tracer is None:
        return None
    found = _here.get()
    if found is None or isinstance(found, (str, int)):
        return found
    return written(found.get_span_context())


def traceparent() -> str | None:
    """Return what names the current span on the wire, or None if there is none."""
    found = as_parent()
    return None if found is None else text_of(found)


def trace_ids() -> tuple[str, str] | None:
    """Return the ids of the current trace and span in hexadecimal digits, as logs have them."""
    found = traceparent()
    if found is None:
        return None
    _, trace_id, span_id, _ = found.split("-", 3)
    return trace_id, span_id


def fail(made: Span, error_type: str) -> None:
    """Say that what a span covers has failed."""
    made.set_attribute("error.type", error_type)
    made.set_status(Status(StatusCode.ERROR))


def _unrecorded(parents: Sequence[Traceparent]) -> Traceparent | None:
    """Return what names the trace of work none of whose `parents` is recorded.

    Returns None if a trace begins here and is recorded.
    """
    for each in parents:
        if isinstance(each, int) or read(each):
            return each
    return None if random() < _share else getrandbits(UNRECORDED_BITS)  # noqa: S311  no secret


class _LeftOut:
    """A block of work that is not recorded."""

    __slots__ = ("_named", "_token")

    def __init__(self, named: Traceparent) -> None:
        self._named = named

    def __enter__(self) -> None:
        self._token: Token[Span | Traceparent | None] = _here.set(self._named)

    def __exit__(self, *_: object) -> None:
        _here.reset(self._token)


def _going_on(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Attributes | MakeAttributes | None,
    known: Sequence[SpanContext],
) -> AbstractContextManager[Span]:
    """Make a span below the first of the `known` ones, or the first one of a trace."""
    above = trace.NonRecordingSpan(known[0]) if known else trace.INVALID_SPAN
    return _span(tracer, name, kind, attributes, above, known[1:])


def _below(above: Span) -> Context:
    return trace.set_span_in_context(above, Context())


@contextmanager
def _span(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Attributes | MakeAttributes | None,
    above: Span,
    linked: Sequence[SpanContext] = (),
) -> Iterator[Span]:
    made = tracer.start_span(
        name,
        _below(above),
        kind,
        attributes() if callable(attributes) else attributes,
        [Link(each) for each in linked],
    )
    token = _here.set(made)
    try:
        yield made
    except BaseException as error:
        known = error.type if isinstance(error, errors.WarrenError) else None
        fail(made, known or type(error).__name__)
        raise
    finally:
        _here.reset(token)
        made.end()
