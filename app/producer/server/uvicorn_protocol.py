"""HTTP/1.1 on a connection: uvicorn's protocol, corrected where it loses what a client sent."""

import asyncio
from typing import Any

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


class HttpProtocol(HttpToolsProtocol):
    """Serves a request that offers an upgrade as if it offered none (RFC 9110, 7.8).

    At an offer the parser stops after the header fields, as if another protocol followed. uvicorn
    would drop the part of the body that has arrived, and parse the rest as another request.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Start before the connection is made."""
        super().__init__(config, server_state, app_state, _loop)
        self._body_of: list[tuple[bytes, bytes]] | None = None  # the header fields of a body
        self._body_size = 0  # bytes of the body that have come

    @property
    def body_left(self) -> int:
        """Return how many bytes of a body are to come; 0 if none, or if that is not known."""
        if self._body_of is None or self._body_of is not self.headers:
            return 0  # the header fields of the next request come
        announced = next((value for name, value in self.headers if name == b"content-length"), b"0")
        return max(0, int(announced) - self._body_size)

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Parse bytes, and begin to serve the requests in them."""
        rest: bytes | memoryview = data
        refusal = None
        try:
            while True:
                try:
                    self.parser.feed_data(rest)
                    return
                except HttpParserUpgrade as stop:
                    rest = memoryview(rest)[stop.args[0] :]
                if self.scope["method"] == "CONNECT":
                    refusal = "CONNECT is refused: this server is no proxy."
                    rest = b"\0"  # after it the parser refuses all that may follow
                else:
                    self._parse_without_offer()
        except HttpParserCallbackError:  # of uvicorn's callbacks only that of the target raises
            self._refuse("Invalid HTTP request: Invalid target")
        except HttpParserError as error:
            reason = "only HTTP/1.1 is served" if "PRI" in str(error) else error
            self._refuse(refusal or f"Invalid HTTP request: {reason}")

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn always closes
        """Let a client that sends no more have its answers, and close then.

        An answer that has begun ends at once, because it may be a stream of events without an end.
        So does any answer over TLS, of which asyncio keeps no half-closed connection.
        """
        latest = self.cycle
        if latest is None or latest.more_body or latest.response_started:
            return False
        if not self.transport.can_write_eof():
            return False
        latest.keep_alive = False
        return True

    def on_headers_complete(self) -> None:
        """Begin to serve a request. Only that ends the time of an idle connection."""
        self._unset_keepalive_if_required()
        self._body_of, self._body_size = self.headers, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body_size += len(body)
        super().on_body(body)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, without the blanks at its end (RFC 9112, 5.1)."""
        super().on_header(name, value.rstrip(b" \t"))

    def on_chunk_header(self) -> None:
        """Keep the trailer fields of a body out of the header fields (RFC 9110, 6.5.1)."""
        self.headers = []

    def _should_upgrade(self) -> bool:
        """Let uvicorn's callbacks pass over a request at which the parser stops."""
        return True

    def _refuse(self, refusal: str, status: int = 400) -> None:
        """Answer with this status and close, or close after the answers to earlier requests."""
        latest = self.cycle
        if latest is None or latest.response_complete or latest.more_body:
            self._send_refusal(refusal, status)
        else:
            latest.keep_alive = False

    def _send_refusal(self, refusal: str, _: int) -> None:
        self.logger.warning(refusal)
        self.send_400_response(refusal)

    def _parse_without_offer(self) -> None:
        """Parse the header fields once more, without the offer; the parser reads on after them."""
        method, version = self.scope["method"].encode(), self.scope["http_version"].encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join([*lines, b"\r\n"]))
