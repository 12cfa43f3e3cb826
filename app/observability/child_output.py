"""Log what child processes print: under the id of their job, escaped, and only so much."""

import logging
import os
import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NamedTuple

MAX_BYTES = 16_000  # of what a child prints; what is beyond is counted
MAX_LINE = 1_000  # bytes; the rest of a longer line is the next one
_READ_BYTES = 65_536  # as much as a pipe of Linux holds

log = logging.getLogger(__name__)


class ChildOutput(NamedTuple):
    """The pipes that a child prints to; it writes bytes, and not the objects of `Connection`."""

    stdout: Connection
    stderr: Connection


@contextmanager
def logged_output(child: str) -> Iterator[ChildOutput]:
    """Give the pipes for a child that is started in the block.

    What it prints is logged, by a thread that ends when the child and its own children have ended.
    `child` is how the log names it. The lines of standard error are warnings. Raises `OSError` if
    this process may open no more files.
    """
    (out, stdout), (err, stderr) = Pipe(duplex=False), Pipe(duplex=False)
    with stdout, stderr:
        follower = _Follower(child, out, err)
        context = copy_context()  # it has the id of the job
        threading.Thread(None, context.run, "child-output", (follower.run,), daemon=True).start()
        yield ChildOutput(stdout, stderr)


class _Follower:
    """Reads and logs what a child prints until nobody can print there any more."""

    def __init__(self, child: str, stdout: Connection, stderr: Connection) -> None:
        self._child = child
        self._streams = {stdout: _Stream(logging.INFO), stderr: _Stream(logging.WARNING)}
        self._left = MAX_BYTES
        self._beyond = 0

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for reader in self._streams:
                selector.register(reader, selectors.EVENT_READ, reader)
            while selector.get_map():
                for key, _ in selector.select():
                    printed = os.read(key.fd, _READ_BYTES)
                    self._take(self._streams[key.data], printed)
                    if not printed:
                        selector.unregister(key.data)
                        key.data.close()
        if self._beyond:
            log.warning("%s: it printed %s bytes more", self._child, f"{self._beyond:,}")

    def _take(self, stream: "_Stream", printed: bytes) -> None:
        taken = printed[: self._left]
        self._left -= len(taken)
        for line in stream.lines(taken, ended=not printed):
            log.log(stream.level, "%s: %s", self._child, line.decode(errors="backslashreplace"))
        beyond = len(printed) - len(taken)
        if beyond and not self._beyond:
            log.warning(
                "%s: this was %s bytes; the rest of what it prints is only counted",
                self._child,
                f"{MAX_BYTES:,}",
            )
        self._beyond += beyond


class _Stream:
    """A stream of bytes that is cut into lines."""

    def __init__(self, level: int) -> None:
        self.level = level
        self._begun = b""

    def lines(self, more: bytes, *, ended: bool) -> Iterator[bytes]:
        """Yield the lines that are complete, or too long; at the end the one that has begun."""
        *complete, self._begun = (self._begun + more).split(b"\n")
        if ended or len(self._begun) > MAX_LINE:
            complete.append(self._begun)
            self._begun = b""
        for line in complete:
            for start in range(0, len(line), MAX_LINE):
                yield line[start : start + MAX_LINE]
