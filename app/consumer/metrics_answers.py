"""Answer the requests for the metrics and the health of a consumer."""

import io
import logging
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from app import errors
from app.auth.identity import Scope
from app.auth.key_ring import KeyRing
from app.auth.tokens import sent_key
from app.consumer.request_reader import RequestReader
from app.observability.metrics.exposition import Exposition

log = logging.getLogger(__name__)

_SCOPES = {Scope.METRICS, Scope.ADMIN}
_PATHS = "/metrics and /healthz are served here"


class MetricsAnswers(BaseHTTPRequestHandler):
    """Answers one request; the connection is closed then."""

    server_version, sys_version = "warren", ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def __init__(
        self,
        exposition: Exposition,
        is_healthy: Callable[[], bool],
        keys: KeyRing | None,
        names: tuple[str, ...],
        seconds: float,
        *connection: Any,
    ) -> None:
        """Answer the request of a connection; the other arguments are those of the server."""
        self._exposition = exposition
        self._is_healthy = is_healthy
        self._keys = keys
        self._names = names
        self._seconds = seconds
        super().__init__(*connection)  # which answers

    def setup(self) -> None:
        """Read the request for a bounded time."""
        super().setup()
        self.connection.settimeout(self._seconds)
        self.rfile.close()
        self.rfile = io.BufferedReader(RequestReader(self.connection, self._seconds))

    def do_GET(self) -> None:
        """Answer with the metrics, or whether the consumer serves its connections."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            healthy = self._is_healthy()
            status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(
                status, b"ok\n" if healthy else b"a connection to the broker is not served\n"
            )
        elif path != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND, _PATHS)
        elif self._is_meant() and self._is_allowed():
            body, media_type = self._exposition.render(self.headers.get("Accept", ""))
            self._send(HTTPStatus.OK, body, media_type)

    do_HEAD = do_GET  # noqa: N815  the library's name

    def _is_meant(self) -> bool:
        """Tell whether `Host` names this server; if not, the request has been answered.

        A page could have its own name mean this address (DNS rebinding), but it has no key.
        """
        host = self.headers.get("Host", "")  # no browser leaves it out
        if self._keys or not host or is_own_name(host, self._names):
            return True
        text = b"Host: ask by an address, or add this name to the setting ALLOWED_HOSTS\n"
        self._send(HTTPStatus.MISDIRECTED_REQUEST, text)
        return False

    def _is_allowed(self) -> bool:
        """Tell whether the request may read the metrics; if not, it has been answered."""
        if self._keys is None:
            return True
        fields = (self.headers.get(name, "") for name in ("Authorization", "X-API-Key"))
        try:
            identity = self._keys.identify(sent_key(*fields)[1].encode("latin-1", "replace"))
        except errors.Unavailable as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode())
            return False
        if identity is None:
            text = b"this needs a valid key: send the header Authorization: Bearer KEY\n"
            self._send(HTTPStatus.UNAUTHORIZED, text, challenge=True)
        elif _SCOPES.isdisjoint(identity.scopes):
            self._send(HTTPStatus.FORBIDDEN, b"the key needs the scope metrics or admin\n")
        else:
            return True
        return False

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        media_type: str = "text/plain; charset=utf-8",
        *,
        challenge: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if challenge:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the library's
        """Log a request as the rest of Warren does, for those who debug."""
        log.debug(format, *arguments)


def is_own_name(authority: str, hosts: tuple[str, ...]) -> bool:
    """Return whether a `Host` is an address, a loopback name, or one of ALLOWED_HOSTS."""
    try:
        name = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return False
    below = tuple(each[1:] for each in hosts if each.startswith("*."))
    if "*" in hosts or name in ("localhost", *hosts) or name.endswith((".localhost", *below)):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
