"""A stand-in for somebody's HTTP: remote models that answer, think, hang, lie and break off.

The path says what happens: `/NAME` or `/NAME/ARGUMENT`, of the methods below. `calls` counts them.
"""

import asyncio
import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self
from urllib.parse import unquote

import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

LARGE = 100_000_000  # bytes
KEY_ID, KEY = "AKIASTANDIN", "kEy/of+the=Standin"


@dataclass(frozen=True)
class Request:
    """What came; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def rows(self) -> list[Any]:
        """What is asked about, one or many."""
        asked = json.loads(self.body)
        value = asked.get("instances", asked.get("input_data", asked.get("image_data")))
        return value if isinstance(value, list) else [value]


@dataclass
class Fleet:
    """A SageMaker endpoint: each of its instances serves one call at a time.

    `busy` are so many of them now, `most` so many at any time.
    """

    instances: int
    seconds: float
    busy: int = 0
    most: int = 0
    free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.free = asyncio.Semaphore(self.instances)

    async def serve(self) -> None:
        async with self.free:
            self.busy += 1
            self.most = max(self.most, self.busy)
            try:
                await asyncio.sleep(self.seconds)
            finally:
                self.busy -= 1


class Stranger:
    """The server: a thread with an event loop; `url` is where."""

    def __init__(self, **fleets: Fleet) -> None:
        """`fleets` are the SageMaker endpoints, by their names."""
        self.calls: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.sent = 0  # bytes of large answers
        self.released = threading.Event()  # lets go on what `held` holds
        self.peers: set[_Peer] = set()  # who is connected
        self.fleets = fleets
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._three = asyncio.Barrier(3)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)

    @property
    def host(self) -> str:
        """What has to be allowed."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await self._loop.create_server(lambda: _Peer(self), "127.0.0.1", 0, backlog=4096)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        while self.peers:
            for each in list(self.peers):
                each.transport.abort()
            await asyncio.sleep(0.01)

    async def answer(self, peer: "_Peer", request: Request) -> None:
        """Do what the path says."""
        self.requests.append(request)
        _, name, argument, *_ = [*request.path.split("/", 2), ""]
        self.calls[name] += 1
        await getattr(self, f"on_{name}")(peer, request, unquote(argument))

    async def on_ok(self, peer: "_Peer", request: Request, _: str) -> None:
        """Answer at once: each row's first value, or 1.0."""
        values = [
            next(iter(row.values())) if isinstance(row, dict) else 1.0 for row in request.rows
        ]
        asked = json.loads(request.body)
        many = isinstance(next(iter(asked.values())), list)
        peer.says({"prediction": values if many else values[0]})

    async def on_think(self, peer: "_Peer", request: Request, seconds: str) -> None:
        await asyncio.sleep(float(seconds))
        await self.on_ok(peer, request, "")

    async def on_together(self, peer: "_Peer", request: Request, seconds: str) -> None:
        """Think when three are asked at a time."""
        await self._three.wait()
        await self.on_think(peer, request, seconds)

    async def on_held(self, peer: "_Peer", request: Request, _: str) -> None:
        """Answer when a test lets it."""
        await asyncio.to_thread(self.released.wait)
        await self.on_ok(peer, request, "")

    async def on_says(self, peer: "_Peer", request: Request, answer: str) -> None:
        """Answer with what the path holds."""
        peer.answers(200, answer.encode())

    async def on_status(self, peer: "_Peer", request: Request, status: str) -> None:
        peer.answers(int(status), b'{"detail": "no\x1b[31m\nsuch luck"}')

    async def on_echo(self, peer: "_Peer", request: Request, status: str) -> None:
        """Answer with the headers that came."""
        peer.answers(int(status), json.dumps(request.headers).encode())

    async def on_twice(self, peer: "_Peer", request: Request, _: str) -> None:
        """Be busy at the first call, break off at the second, answer the third."""
        if self.calls["twice"] == 1:
            peer.answers(503, b"busy")
        elif self.calls["twice"] == 2:
            peer.transport.abort()
        else:
            await self.on_ok(peer, request, "")

    async def on_hang(self, peer: "_Peer", request: Request, _: str) -> None:
        """Never answer."""

    async def on_reset(self, peer: "_Peer", request: Request, _: str) -> None:
        peer.transport.abort()

    async def on_half(self, peer: "_Peer", request: Request, _: str) -> None:
        """End amid the body."""
        peer.transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"prediction"')
        peer.transport.close()

    async def on_redirect(self, peer: "_Peer", request: Request, to: str) -> None:
        """Send the caller elsewhere: it is counted whether it goes."""
        peer.answers(307, b"", f"Location: {to or '/internal'}")

    async def on_internal(self, peer: "_Peer", request: Request, _: str) -> None:
        peer.says({"prediction": "what nobody may see"})

    async def on_large(self, peer: "_Peer", request: Request, size: str) -> None:
        """Send more than anybody should take, with a length or in chunks without end."""
        size_known = size == "length"
        peer.transport.write(
            f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode()
            if size_known
            else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        piece = b"1" * 65536
        chunk = piece if size_known else b"10000\r\n" + piece + b"\r\n"
        for _ in range(LARGE // len(piece)):
            if peer.transport.is_closing():
                return
            peer.transport.write(chunk)
            self.sent += len(piece)
            await peer.room.wait()

    async def on_gzip(self, peer: "_Peer", request: Request, _: str) -> None:
        """Send a hundred megabytes in a hundred kilobytes."""
        peer.answers(200, gzip.compress(b"1" * LARGE), "Content-Encoding: gzip")

    async def on_headers(self, peer: "_Peer", request: Request, _: str) -> None:
        peer.answers(200, b"1", "X-Much: " + "x" * 1_000_000)

    async def on_drip(self, peer: "_Peer", request: Request, _: str) -> None:
        """Send a byte now and then, without end."""
        peer.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not peer.transport.is_closing():
            peer.transport.write(b"1")
            await asyncio.sleep(0.05)

    async def on_noise(self, peer: "_Peer", request: Request, _: str) -> None:
        """Speak no HTTP."""
        peer.transport.write(b"\x00\xffSSH-2.0 what?\r\n\r\n")
        peer.transport.close()

    async def on_endpoints(self, peer: "_Peer", request: Request, rest: str) -> None:
        """Be SageMaker's runtime: `/endpoints/NAME/invocations`."""
        if wrong := unsigned(request, self.host):
            error = {"message": wrong}
            peer.answers(403, json.dumps(error).encode(), "x-amzn-errortype: AccessDenied")
            return
        name = rest.removesuffix("/invocations")
        if name == "bursting":
            peer.answers(400, b'{"message": "Rate"}', "x-amzn-errortype: ThrottlingException")
        elif name == "choosy":
            error = {"Message": "no", "OriginalMessage": "bad row", "OriginalStatusCode": 422}
            peer.answers(424, json.dumps(error).encode(), "x-amzn-errortype: ModelError")
        elif fleet := self.fleets.get(name):
            await fleet.serve()
            await self.on_ok(peer, request, "")
        else:
            error = {"Message": f"Endpoint {name} not found"}
            peer.answers(400, json.dumps(error).encode(), "x-amzn-errortype: ValidationError")


class _Peer(asyncio.Protocol):
    """A connection, kept alive."""

    transport: asyncio.Transport

    def __init__(self, stranger: Stranger) -> None:
        self._stranger = stranger
        self._received = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self.room = asyncio.Event()
        self.room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._stranger.peers.add(self)

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stranger.peers.discard(self)
        self.room.set()
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        del self._received[: len(head) + 4 + length]
        method, path, _ = first.split(" ")
        request = Request(method, path, headers, bytes(rest[:length]))
        task = asyncio.get_running_loop().create_task(self._stranger.answer(self, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def says(self, value: Any) -> None:
        self.answers(200, json.dumps(value).encode())

    def answers(self, status: int, body: bytes, *headers: str) -> None:
        head = "\r\n".join(
            [
                f"HTTP/1.1 {status} Status",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                *headers,
            ]
        )
        self.transport.write(head.encode() + b"\r\n\r\n" + body)


def unsigned(request: Request, host: str) -> str:
    """Return why a call is not signed by our key as AWS wants it; empty where it is."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return "not signed"
    parts = dict(each.strip().split("=", 1) for each in rest.split(","))
    key_id, _, region, service, _ = parts["Credential"].split("/")
    if (key_id, service) != (KEY_ID, "sagemaker"):
        return f"signed by {key_id} for {service}"
    signer = SigV4Auth(Credentials(KEY_ID, KEY), service, region)
    signed = {name: request.headers[name] for name in parts["SignedHeaders"].split(";")}
    copy = AWSRequest(
        request.method, f"http://{host}{request.path}", headers=signed, data=request.body
    )
    copy.context["timestamp"] = request.headers["x-amz-date"]
    mine = signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)
    return "" if mine == parts["Signature"] else "the signature does not fit"


def elapsed(work: Callable[[], Any]) -> float:
    """Return the seconds that something takes."""
    begun = monotonic()
    work()
    return monotonic() - begun
