"""A span for each HTTP request, by OpenTelemetry's conventions for HTTP servers."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.traceparent import MOST_OF_TRACEPARENT, TRACEPARENT
from app.observability.tracing import SpanKind, fail, leave_out, recorded_span
from app.producer.routing.methods import METHODS

_FIELD = TRACEPARENT.encode()


class Tracing:
    """ASGI middleware: serves each request in a span, which goes on from the caller's own."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        sent = [value for name, value in scope["headers"] if name == _FIELD]
        parents = _parents(sent) if sent else []
        if leave_out(parents):  # of this task, which serves no other request
            return self._app(scope, receive, send)
        return self._recorded(scope, receive, send, parents)

    async def _recorded(
        self, scope: Scope, receive: Receive, send: Send, parents: list[str]
    ) -> None:
        status = 0

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "HTTP"
        asked = {
            "http.request.method": "_OTHER" if method == "HTTP" else method,
            "url.path": scope["path"],
            "url.scheme": scope["scheme"],
        }
        with recorded_span(method, SpanKind.SERVER, asked, parents) as made:
            try:
                await self._app(scope, receive, seen)
            finally:
                if made:
                    route = getattr(scope.get("route"), "path_format", None)
                    if route:
                        made.update_name(f"{method} {route}")
                        made.set_attribute("http.route", route)
                    if status:  # else its client has gone before
                        made.set_attribute("http.response.status_code", status)
                    if status >= 500:
                        fail(made, str(status))


def _parents(sent: list[bytes]) -> list[str]:
    """Return what the caller's headers say; two of them say nothing (W3C Trace Context, 3.2)."""
    if len(sent) != 1 or len(sent[0]) > MOST_OF_TRACEPARENT:
        return []
    return [sent[0].decode("latin-1").strip(" \t")]
