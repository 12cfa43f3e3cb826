"""A TCP proxy that does harm when told to."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.chaos.loop import Loop

HOST = "127.0.0.1"
CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, with no time: close sends RST


@dataclass(frozen=True, eq=False)
class Mode:
    """What happens to the bytes. Each mode is its own: counting starts anew with it."""

    #: Seconds by which each piece is late.
    delay: float = 0.0
    #: A connection is reset when its client has sent so many bytes.
    cut_after: int | None = None
    #: Nothing passes; it arrives when the mode ends, as TCP would repeat it.
    stall: bool = False
    #: Bytes sent meanwhile are lost; a connection that lost something is reset when the mode ends.
    swallow: bool = False
    #: Nobody listens.
    refuse: bool = False
    #: Every request is answered with this and the connection is closed.
    answer: bytes | None = None


PASS = Mode()


class Proxy:
    """Stands in front of a port of this machine; `port` is where. All methods are thread-safe."""

    def __init__(self, loop: Loop, target: int) -> None:
        self._target = target
        self._loop = loop
        self._modes: list[Mode] = []
        self._mode = PASS
        self._changed = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.swallowed = 0  # pieces
        self.port = 0
        loop.call(self._listen())

    def add(self, mode: Mode) -> None:
        """Change what happens to the bytes of old and new connections.

        Modes may overlap: the oldest is in force until it is removed.
        """
        self._loop.call(self._set([*self._modes, mode]))

    def remove(self, mode: Mode) -> None:
        self._loop.call(self._set([each for each in self._modes if each is not mode]))

    def heal(self) -> None:
        """Let everything pass again."""
        self._loop.call(self._set([]))

    def cut(self, reset: bool = False) -> None:
        """Lose every connection there is: in order, or by RST."""
        self._loop.call(self._cut(reset))

    def close(self) -> None:
        self._loop.call(self._close())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, modes: list[Mode]) -> None:
        before, self._modes = self._mode, modes
        self._mode = mode = modes[0] if modes else PASS
        if mode is before:
            return
        self._changed.set()
        self._changed = asyncio.Event()
        if mode.refuse and self._server:
            self._server.close()
            self._server = None
        elif before.refuse and not mode.refuse:
            await self._listen()
        if mode.answer:  # those that wait between two requests would never hear of it
            await self._cut(reset=False)

    async def _cut(self, reset: bool) -> None:
        for writer in list(self._open):
            drop(writer, reset)

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await self._cut(reset=False)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if answer := self._mode.answer:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
                return
            back, far = await asyncio.open_connection(HOST, self._target)
            self._open.add(far)
            await race(self._pump(reader, far, counted=True), self._pump(back, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Lost):
            for each in (writer, far):
                if each:
                    drop(each, reset=True)
        finally:
            for each in (writer, far):
                if each:
                    self._open.discard(each)
                    each.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, counted: bool = False
    ) -> None:
        """Pass on what comes until the source ends. Raises `Lost` when the mode says so."""
        mode, seen = self._mode, 0
        while chunk := await source.read(CHUNK):
            while self._mode.stall:
                await self._changed.wait()
            if mode is not self._mode:
                mode, seen = self._mode, 0
            if mode.swallow:
                self.swallowed += 1
                while self._mode is mode:
                    await self._changed.wait()
                raise Lost
            if mode.delay:
                await asyncio.sleep(mode.delay)
            if counted and mode.cut_after is not None:
                seen += len(chunk)
                if seen > mode.cut_after:
                    sink.write(chunk[: len(chunk) - (seen - mode.cut_after)])
                    raise Lost
            sink.write(chunk)
            await sink.drain()


class Lost(Exception):
    """A connection is to be reset."""


async def race(*works: Coroutine[Any, Any, None]) -> None:
    """Return when the first one has ended, as it ended; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def drop(writer: asyncio.StreamWriter, reset: bool) -> None:
    """Close a connection at once."""
    if reset:
        with suppress(OSError):
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


def canned(status: int, code: str) -> bytes:
    """Return an S3 server's refusal as it stands on the wire."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>chaos</Message></Error>"
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
