"""HTTP/1.1 on a connection whose head, time, pipeline and unread answers are bounded."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from app.producer.answers.problems import problem
from app.producer.answers.security_fields import OF_ALL, OF_DATA
from app.producer.server.turn_protocol import TurnProtocol, turns_of_a_server

MAX_HEAD = 64_000  # bytes of a request's target and header fields, or of its trailer fields
_LINGER_SECONDS = 2.0  # a refused client may go on sending before it reads
_LEAST_READ = 1_000  # bytes of an answer that a client has to take in a second
_TOO_LARGE = f"the header fields of a request may have at most {MAX_HEAD} bytes"


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections are open, and how long each may take for a head or leave an answer."""

    connections: int
    head_seconds: float
    unread_seconds: float = 15.0


def bounded(limits: ConnectionLimits) -> type["BoundedProtocol"]:
    """Return the protocol of a server, whose connections share these limits."""

    class Bounded(BoundedProtocol):
        pass

    Bounded.limits, Bounded.idle = limits, OrderedDict()
    Bounded.reading, Bounded.beginning = turns_of_a_server()
    return Bounded


class BoundedProtocol(TurnProtocol):
    """Refuses heads that are too large (431, RFC 6585) or too slow (408), and closes idle ones.

    At the limit of connections, a new one takes the place of the one that has been without a
    request for the longest time; if all have one, the new one gets a 503. A client that does not
    read its answer is disconnected.
    """

    limits: ConnectionLimits
    #: The connections that serve no request, the one that has waited longest first.
    idle: "OrderedDict[BoundedProtocol, None]"

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Start before the connection is made."""
        super().__init__(config, server_state, app_state, _loop)
        self._unparsed = 0  # bytes since the last head, piece of a body or end of a message
        self._too_large = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in the place of an idle one if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections and not self._take_place():
            self._send_refusal("too many connections are open; connect again in a moment", 503)
            return
        self.idle[self] = None
        self.timeout_keep_alive_task = self.loop.call_later(
            self.limits.head_seconds, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.idle.pop(self, None)
        self._end_head_timer()
        self._end_unread_timer()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """Begin to serve a request. Raises `ValueError` if its head is too large."""
        self._end_head_timer()
        if self._unparsed > MAX_HEAD and self._head_size() > MAX_HEAD:
            self._too_large = True
            raise ValueError  # ends the parsing
        self._unparsed = 0
        self.idle.pop(self, None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._unparsed = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        super().on_response_complete()
        if not (self._later or self.pipeline or self._refused or self.transport.is_closing()):
            self.idle[self] = None

    def pause_writing(self) -> None:
        """Stop an answer that the client does not read, and disconnect it if that goes on."""
        super().pause_writing()
        if self._unread_timer is None:
            self._watch_unread()

    def resume_writing(self) -> None:
        """Go on with an answer."""
        super().resume_writing()
        self._end_unread_timer()

    def _take_place(self) -> bool:
        """Close the connection that has been idle for the longest time, if there is one."""
        if not self.idle:
            return False
        longest, _ = self.idle.popitem(last=False)
        longest.transport.abort()
        return True

    def _parse(self, data: bytes) -> None:
        self._unparsed += len(data)
        super()._parse(data)
        if self._unparsed or "path" not in self.scope:  # the last head is not complete
            self._check_head()

    def _check_head(self) -> None:
        """Refuse a head or a trailer that goes on for too many bytes; limit the time of a head."""
        if self._refused or self.transport.is_closing():
            return
        if self._unparsed > MAX_HEAD:
            self._refuse(_TOO_LARGE, 431)
        elif self._head_timer is None and self.scope is not None and "path" not in self.scope:
            self._unset_keepalive_if_required()
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_overdue)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _head_overdue(self) -> None:
        seconds = self.limits.head_seconds
        self._refuse(f"the header fields did not arrive within {seconds:g} s", 408)

    def _refuse(self, refusal: str, status: int = 400) -> None:
        if self._too_large:
            refusal, status = _TOO_LARGE, 431
        super()._refuse(refusal, status)
        self._refused = True

    def _send_refusal(self, refusal: str, status: int) -> None:
        """Answer with a problem document, and close when the client has had time to read it."""
        if self._refused or self.transport.is_closing():
            return  # it has its answer
        if status == 400:
            self.logger.warning(refusal)
        self._refused = True
        if self.cycle is not None:  # the request whose body is not complete
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        response = problem(status, refusal)
        lines = [STATUS_LINE[status], b"connection: close\r\n"]
        fields = (*self.server_state.default_headers, *response.raw_headers, *OF_ALL, OF_DATA)
        lines += [b"%b: %b\r\n" % field for field in fields]
        self.transport.write(b"".join([*lines, b"\r\n", bytes(response.body)]))
        if self.transport.can_write_eof():  # TLS has no half-closed connections here
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _watch_unread(self, before: int | None = None) -> None:
        """Disconnect a client that has taken too little of its answer since `before` bytes."""
        unread, seconds = self.transport.get_write_buffer_size(), self.limits.unread_seconds
        if before is not None and unread > before - _LEAST_READ * seconds:
            self.transport.abort()
        else:
            self._unread_timer = self.loop.call_later(seconds, self._watch_unread, unread)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
