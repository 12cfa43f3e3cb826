"""HTTP/1.1 on a connection that takes turns with those of other callers."""

import asyncio
from functools import partial
from typing import Any

from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from app.producer.callers.caller import caller_of
from app.producer.server.turns import Turns
from app.producer.server.uvicorn_protocol import HttpProtocol

_SLICE = 2_000  # bytes parsed at a time, so that many small requests are not begun at once
_PIECE_SLICES = 8  # parsed at a time
_BODY_PIECE = 64_000  # bytes of a body of known length, which take less time than eight slices
_TURN_PIECES = 4  # of a caller, in an iteration of the loop
_TURN_REQUESTS = 64  # of a caller, begun in an iteration of the loop
_LIGHT = frozenset(
    ("/predict", "/infer", "/invocations", "/health", "/live", "/ping")
)  # ends of paths
_HEAVY = 16  # a request for another path takes the time of so many


def turns_of_a_server() -> tuple[Turns, Turns]:
    """Return the turns of reading and of beginning, which the connections of a server share."""
    return Turns(turn=_TURN_PIECES), Turns(turn=_TURN_REQUESTS)


class _Flow(FlowControl):
    """Reads no further while bytes wait to be parsed, whoever asks for more of a body."""

    def __init__(self, transport: asyncio.Transport, later: bytearray) -> None:
        super().__init__(transport)
        self._later = later

    def resume_reading(self) -> None:
        if not self._later:
            super().resume_reading()


class TurnProtocol(HttpProtocol):
    """Parses bytes slice by slice, and begins requests, each when it is its caller's turn.

    Here the caller is the address of the connection; the header fields of a proxy are not read yet.
    """

    reading: Turns  # to parse, if more than a slice has arrived
    beginning: Turns  # to begin requests

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Start before the connection is made."""
        super().__init__(config, server_state, app_state, _loop)
        self._later = bytearray()  # bytes that wait for answers to earlier requests, or their turn
        self._waits = False  # for its turn
        self._refused = False  # what still arrives is discarded

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self._later)
        self._caller = caller_of({"client": self.client})

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._later.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the next bytes; while requests wait in the pipeline, keep them for later."""
        if self._refused:
            return
        if self._later or len(data) > _SLICE:
            self._later += data
            if self._waits:
                self.flow.pause_reading()
            else:
                self._parse_later()
        else:
            self._parse(data)

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        if self._later:
            self.flow.pause_reading()
            self.loop.call_soon(self._parse_later)

    def _parse_later(self) -> None:
        """Parse the bytes that wait, until a request has to wait for another or for its turn."""
        while not self._waits and self._goes_on:
            if self.reading.take(self._caller, 1):
                self._parse_piece()
            else:
                self._wait_for_turn()
        self._after_parsing()

    def _wait_for_turn(self) -> None:
        self._waits = True
        self.reading.wait(self._caller, 1, self._take_turn)

    def _take_turn(self) -> None:
        self._waits = False
        self._parse_piece()
        if self._goes_on:
            self._wait_for_turn()
        self._after_parsing()

    @property
    def _goes_on(self) -> bool:
        """Whether there are bytes to parse now."""
        return bool(self._later) and not (
            self.pipeline or self._refused or self.transport.is_closing()
        )

    def _parse_piece(self) -> None:
        """Parse some slices of the bytes that wait, or one larger piece of a body."""
        for _ in range(_PIECE_SLICES):
            if not self._goes_on:
                break
            of_body = min(self.body_left, _BODY_PIECE)
            size = max(of_body, _SLICE)
            with memoryview(self._later) as later:
                piece = bytes(later[:size])
            del self._later[:size]
            self._parse(piece)
            if of_body > _SLICE:
                break

    def _after_parsing(self) -> None:
        """Read on if nothing waits."""
        if self._refused:
            self._later.clear()
            self.flow.resume_reading()  # to see the end of the connection
        elif self._later:
            self.flow.pause_reading()
        elif not self.pipeline and (
            self.cycle is None
            or self.cycle.response_complete
            or len(self.cycle.body) <= HIGH_WATER_LIMIT
        ):
            self.flow.resume_reading()  # otherwise the request resumes it when it reads its body

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin to answer a request, when it is its caller's turn."""
        path = cycle.scope["path"]
        units = 1 if path[path.rfind("/") :] in _LIGHT else _HEAVY
        if self.beginning.take(self._caller, units):
            super()._start_asgi_task(cycle, app)
        else:
            self.beginning.wait(self._caller, units, partial(self._begin, cycle, app))

    def _begin(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not cycle.disconnected:
            super()._start_asgi_task(cycle, app)
