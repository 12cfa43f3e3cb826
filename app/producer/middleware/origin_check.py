"""Refuse calls that change something and come from pages of other origins.

A browser sends a form, or text, of any page to any server, and CORS only keeps the answer from the
page. So the server has to look where a call comes from.
"""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from app import errors
from app.producer.callers.same_origin import is_own
from app.producer.routing.methods import SAFE_METHODS
from app.protocol.wording import quoted

_OWN_SITE = (b"same-origin", b"none")  # none: the user typed the address, or chose a bookmark


class OriginCheck:
    """ASGI middleware: a call that may change something has to come from an allowed origin.

    Browsers say where each such call comes from, in `Origin` and `Sec-Fetch-Site`, and pages cannot
    write these fields. Other clients send neither, and pass. Raises `errors.ForeignOrigin`.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        """Wrap `app`; `origins` are allowed besides its own, and `*` is every origin."""
        self._app = app
        self._allowed = frozenset(each.encode() for each in origins)
        self._all = "*" in origins

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and not self._all:
            origin = site = None
            for name, value in scope["headers"]:
                if name == b"origin":
                    origin = value if origin is None else b"null"  # of two, none can be believed
                elif name == b"sec-fetch-site":
                    site = value
            if origin is not None or site is not None:
                self._check(scope, origin, site)
        return self._app(scope, receive, send)

    def _check(self, scope: Scope, origin: bytes | None, site: bytes | None) -> None:
        if origin in self._allowed:
            return
        if origin is not None and not is_own(text := origin.decode("latin-1"), scope):
            shown = quoted(text)
            raise errors.ForeignOrigin(
                f"Origin: pages of {shown} may not change anything here; if they may, add the "
                "origin to the setting CORS_ORIGINS, or have the proxy send X-Forwarded-Host"
            )
        if site is not None and site not in _OWN_SITE:
            raise errors.ForeignOrigin(
                "Sec-Fetch-Site: pages of other sites may not change anything here; "
                "if one may, add its origin to the setting CORS_ORIGINS"
            )
