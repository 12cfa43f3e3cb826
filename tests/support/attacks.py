"""Clients that try to stop a producer: each attack over raw connections, for some seconds.

`python -m tests.support.attacks half_open 127.0.0.1:5000 --seconds 10` runs one, and prints how
often each outcome came: a status, `closed` without one, or `open` at the end.
"""

import argparse
import asyncio
import gzip
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic

MEGABYTE = 1_000_000
LIMIT = 4_000_000  # bytes of a JSON body that the producer takes by default
FIELDS = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(1000))  # 1 MB
CONNECTIONS = 300
DRIP_SECONDS = 1.0
PAUSE = 0.02  # an attacker who is refused asks again, not in a tight loop

Outcomes = Counter[str]


class Connection:
    """A connection of an attacker, which counts what becomes of it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outcomes: Outcomes
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._outcomes = outcomes
        self.ended = False

    async def send(self, data: bytes) -> None:
        """Send bytes; after the server has closed the connection, set `ended`."""
        if self._writer.is_closing():
            self.ended = True
            return
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            self.ended = True

    async def status(self) -> str:
        """Wait for an answer, count it, and return its status, or `closed`."""
        head = b""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await self._reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1].decode() if head.startswith(b"HTTP/") else "closed"
        length = next(
            (
                int(line[15:])
                for line in head.splitlines()
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._reader.readexactly(length)
        self._outcomes[status] += 1
        return status


@asynccontextmanager
async def connection(
    address: tuple[str, int], outcomes: Outcomes, source: str | None
) -> AsyncIterator[Connection | None]:
    """Open a connection from the address `source`; None if the server takes no more."""
    origin = (source, 0) if source else None
    try:
        reader, writer = await asyncio.open_connection(*address, local_addr=origin)
    except OSError:
        outcomes["refused"] += 1
        yield None
        return
    try:
        yield Connection(reader, writer, outcomes)
    finally:
        writer.transport.abort()


Attack = Callable[[Connection], Awaitable[None]]


def head(method: str, path: str, *fields: str) -> bytes:
    """Return the head of a request."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", "")).encode()


def json_head(path: str, size: int, *fields: str) -> bytes:
    """Return the head of a request with so many bytes of JSON."""
    kind = "Content-Type: application/json"
    return head("POST", path, kind, f"Content-Length: {size}", *fields)


def _nested(value: bytes, size: int = LIMIT - 1000) -> bytes:
    """Return the body of a prediction whose input is a list of equal values."""
    values = b",".join([value] * (size // (len(value) + 1)))
    return b'{"model_id":"latest","input_data":[' + values + b"]}"


async def _repeat(attacker: Connection, block: bytes, times: int) -> None:
    """Send a block again and again, until the server ends the connection."""
    for _ in range(times):
        if attacker.ended:
            break
        await attacker.send(block)


async def endless_headers(attacker: Connection) -> None:
    """Send header fields without an end, up to 400 MB."""
    await attacker.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    await _repeat(attacker, FIELDS, 400)
    await attacker.status()


async def long_header(attacker: Connection) -> None:
    """Send one header field of 72 MB."""
    await attacker.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
    await _repeat(attacker, b"a" * MEGABYTE, 72)
    await attacker.send(b"\r\n\r\n")
    await attacker.status()


async def endless_trailers(attacker: Connection) -> None:
    """Send trailer fields of a chunked body without an end, up to 400 MB."""
    await attacker.send(head("POST", "/predict", "Transfer-Encoding: chunked") + b"0\r\n")
    await _repeat(attacker, FIELDS, 400)
    await attacker.status()


async def half_open(attacker: Connection) -> None:
    """Send the beginning of a request and nothing more."""
    await attacker.send(b"GET /health HTTP/1.1\r\nHost: loc")
    await attacker.status()


async def silent(attacker: Connection) -> None:
    """Connect and send nothing."""
    await attacker.status()


async def half_bodies(attacker: Connection) -> None:
    """Announce 4 MB for a training, send 3.9 MB and nothing more."""
    await attacker.send(json_head("/train", LIMIT))
    await attacker.send(b'{"dataset_id": "' + b"a" * 3_900_000)
    await attacker.status()


async def half_predictions(attacker: Connection) -> None:
    """Announce 4 MB for a prediction, send 3.9 MB and nothing more."""
    await attacker.send(json_head("/predict", LIMIT))
    await attacker.send(b'{"model_id": "' + b"a" * 3_900_000)
    await attacker.status()


async def compressed_halves(attacker: Connection) -> None:
    """Send most of a small compressed body that is large when it is decoded."""
    packed = gzip.compress(b'{"model_id": "' + b"a" * 3_900_000)
    await attacker.send(json_head("/train", len(packed), "Content-Encoding: gzip") + packed[:-8])
    await attacker.status()


async def slow_uploads(attacker: Connection) -> None:
    """Upload a data set, a byte now and then."""
    await attacker.send(head("PUT", "/datasets/slow", f"Content-Length: {MEGABYTE}") + b"a,b\n")
    answer = asyncio.ensure_future(attacker.status())
    while not answer.done():
        await attacker.send(b"1")
        await asyncio.wait([answer], timeout=DRIP_SECONDS)


async def slow_forms(attacker: Connection) -> None:
    """Upload a model, a byte now and then."""
    kind = "Content-Type: multipart/form-data; boundary=x"
    await attacker.send(
        head("PUT", "/models/slow", kind, f"Content-Length: {MEGABYTE}") + b"--x\r\n"
    )
    answer = asyncio.ensure_future(attacker.status())
    while not answer.done():
        await attacker.send(b"C")
        await asyncio.wait([answer], timeout=DRIP_SECONDS)


async def open_quote(attacker: Connection) -> None:
    """Upload a CSV whose header has an open quote and 6 MB of line breaks."""
    size = 6 * MEGABYTE
    await attacker.send(head("PUT", "/datasets/quote", f"Content-Length: {size + 5}") + b'a,b,"')
    await attacker.send(b"\n" * size)
    await attacker.status()


async def quoted_lines(attacker: Connection) -> None:
    """Upload a CSV of the shortest lines, each of which opens or closes a quoted field."""
    size = 6 * MEGABYTE
    await attacker.send(head("PUT", "/datasets/lines", f"Content-Length: {size + 4}") + b"a,b\n")
    await attacker.send(b'"\n' * (size // 2))
    await attacker.status()


async def combining_marks(attacker: Connection) -> None:
    """Upload a CSV with a name of accents alone, whose normal form takes quadratic time."""
    body = ("a" + "\u0327\u0301" * 60_000 + ",b\n1,2\n").encode()
    await attacker.send(head("PUT", "/datasets/marks", f"Content-Length: {len(body)}") + body)
    await attacker.status()


def _sends(path: str, value: bytes) -> Attack:
    """Return the attack that sends a large list of one value, again and again."""
    body = _nested(value)

    async def send(attacker: Connection) -> None:
        await attacker.send(json_head(path, len(body)) + body)
        await attacker.status()

    send.__doc__ = f"Send 4 MB of {value.decode()} to {path}."
    return send


async def event_streams(attacker: Connection) -> None:
    """Read the events of a job, and stay."""
    await attacker.send(head("GET", "/jobs/latest/events"))
    if await attacker.status() == "200":
        await asyncio.sleep(3600)


async def slow_readers(attacker: Connection) -> None:
    """Ask for a long answer many times, and read none."""
    await attacker.send(head("GET", "/openapi.json") * 200)
    await asyncio.sleep(3600)


async def pipelined(attacker: Connection) -> None:
    """Send 14,000 requests at once."""
    await attacker.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 14_000)
    await attacker.status()


# By name: the attack, and how many connections carry it out at a time.
ATTACKS: dict[str, tuple[Attack, int]] = {
    "endless_headers": (endless_headers, 4),
    "long_header": (long_header, 4),
    "endless_trailers": (endless_trailers, 4),
    "half_open": (half_open, CONNECTIONS),
    "silent": (silent, CONNECTIONS),
    "half_bodies": (half_bodies, CONNECTIONS),
    "half_predictions": (half_predictions, CONNECTIONS),
    "compressed_halves": (compressed_halves, CONNECTIONS),
    "slow_uploads": (slow_uploads, 16),
    "slow_forms": (slow_forms, 16),
    "open_quote": (open_quote, 8),
    "quoted_lines": (quoted_lines, 8),
    "combining_marks": (combining_marks, 2),
    "many_lists": (_sends("/predict", b"[]"), 4),
    "many_objects": (_sends("/predict", b'{"a":{}}'), 4),
    "many_numbers": (_sends("/predict", b"1"), 4),
    "many_rows": (_sends("/invocations", b"[1]"), 4),
    "lists_to_train": (_sends("/train", b'{"a":{}}'), 4),
    "event_streams": (event_streams, 2000),
    "slow_readers": (slow_readers, CONNECTIONS),
    "pipelined": (pipelined, 16),
}


async def run(
    name: str,
    address: tuple[str, int],
    seconds: float,
    *,
    source: str | None = None,
    connections: int | None = None,
    pause: float = PAUSE,
) -> Outcomes:
    """Carry out an attack for some seconds, again after each answer; return what came of it.

    Connections come from the address `source` of this machine, `connections` at a time if that is
    given. Who was answered asks again after `pause` seconds.
    """
    attack, usual = ATTACKS[name]
    outcomes: Outcomes = Counter()
    until = monotonic() + seconds

    async def again() -> None:
        while monotonic() < until:
            async with connection(address, outcomes, source) as attacker:
                try:
                    async with asyncio.timeout(until - monotonic()):
                        if attacker is None:
                            await asyncio.sleep(0.5)
                        else:
                            await attack(attacker)
                except TimeoutError:
                    outcomes["open"] += 1
            await asyncio.sleep(pause)

    await asyncio.gather(*(again() for _ in range(connections or usual)))
    return outcomes


def main() -> None:
    """Run an attack from the command line, and print its outcomes as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("address", help="host:port")
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    host, _, port = asked.address.rpartition(":")
    outcomes = asyncio.run(run(asked.attack, (host, int(port)), asked.seconds))
    sys.stdout.write(f"{json.dumps(outcomes)}\n")


if __name__ == "__main__":
    main()
