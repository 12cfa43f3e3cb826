"""Tell browsers and caches, with every response, what they may do with it."""

from collections.abc import Awaitable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.producer.answers.security_fields import (
    CACHING,
    OF_ALL,
    OF_DATA,
    OF_GETS,
    OF_HTTPS,
    POLICY,
)
from app.producer.callers.authority import host_of
from app.settings.checks import is_loopback

_CACHED = ("GET", "HEAD")  # methods whose answers a cache may keep unasked


class SecurityHeaders:
    """ASGI middleware: adds the fields of `security_fields` to the response.

    A response that has a Content-Security-Policy or a Cache-Control keeps it.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        def labelled(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                fields, names = [*own, *OF_ALL], [name for name, _ in own]
                if POLICY not in names:
                    fields.append(OF_DATA)
                if scope["method"] in _CACHED and CACHING not in names:
                    fields.append(OF_GETS)
                # A middleware inside may have set the scheme.
                if scope.get("scheme") == "https" and not _is_of_this_machine(scope):
                    fields.append(OF_HTTPS)
                message["headers"] = fields
            return send(message)

        return self._app(scope, receive, labelled)


def _is_of_this_machine(scope: Scope) -> bool:
    """Tell whether the host is a loopback name, which other servers of other schemes have too."""
    host = host_of(Headers(scope=scope).get("host", ""))
    return host is not None and is_loopback(host)
