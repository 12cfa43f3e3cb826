"""The first door: requests over many connections, several on the wire before there is an answer."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from app.settings.checks import PATH_PREFIX
from tests.fuzz.calls import Call
from tests.support.words import foreign_words

CONNECTIONS = 24
PIPELINED = 4
ANSWER_SECONDS = 60.0
SILENCE_SECONDS = 0.3  # for what broke off: that there is no answer is no surprise

# Where a link may lead; the prefix is what a proxy said.
LOCATION = re.compile(rf"{PATH_PREFIX.removesuffix('/?$')}/(jobs|models)/[^/]+$")

# What is said before there is a request that the application could answer.
NO_HTTP = "Invalid HTTP request: ", "CONNECT is refused: this server is no proxy."


class Failed(Exception):
    """An answer that must not be."""


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Seen:
    """What the answers were: how many of each kind, and what must not have been."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)


Case = tuple[int, Call]


async def drive(address: tuple[str, int], cases: list[Case], seen: Seen) -> None:
    """Send all, and look at each answer."""
    # Slices of one list: a free thread takes the next one.
    batches = iter(list(_batches(cases)))

    async def client() -> None:
        connection = Connection(address)
        try:
            for batch in batches:
                await connection.send(batch, seen)
        finally:
            connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(client())


def _batches(cases: list[Case]) -> Iterator[list[Case]]:
    together = [each for each in cases if not each[1].alone]
    yield from ([each] for each in cases if each[1].alone)
    yield from (together[at : at + PIPELINED] for at in range(0, len(together), PIPELINED))


class Connection:
    """A connection that is opened again when it has to be."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, batch: list[Case], seen: Seen) -> None:
        """Send a batch at once; what a closed connection leaves unanswered is sent again alone."""
        if batch[0][1].alone:
            self.close()
        answered = await self._answers(batch, seen)
        for case in batch[answered:]:
            self.close()
            if not await self._answers([case], seen) and case[1].whole:
                seen.failures.append((case[0], "the connection was closed without an answer"))
        if batch[0][1].alone:
            self.close()

    async def _answers(self, batch: list[Case], seen: Seen) -> int:
        """Send, read and judge; return how many were answered."""
        answered = 0
        try:
            reader, writer = await self._open()
            sent = b"".join(call.raw for _, call in batch)
            for part in (sent[: len(sent) // 2], sent[len(sent) // 2 :]):
                writer.write(part)
                await asyncio.sleep(0)  # most often this makes a segment of each part
            for number, call in batch:
                seconds = ANSWER_SECONDS if call.whole else SILENCE_SECONDS
                async with asyncio.timeout(seconds):
                    answer = await read(reader, call.head)
                answered += 1
                seen.counts[f"{call.kind} {answer.status}"] += 1
                judge(number, call, answer, seen)
                if answer.headers.get("connection") == "close":
                    self.close()
                    break
            else:
                await self._probe(batch, seen)
        except TimeoutError:
            if batch[answered][1].whole:
                seen.failures.append((batch[answered][0], f"no answer in {ANSWER_SECONDS:.0f} s"))
                answered += 1
            self.close()
        except (OSError, EOFError):
            self.close()
        if not answered and not batch[0][1].whole:
            seen.counts[f"{batch[0][1].kind} silence"] += 1
            answered = 1
        return answered

    async def _probe(self, batch: list[Case], seen: Seen) -> None:
        """Note if the batch had more answers than requests: the next one is not to the next."""
        if self._streams is None or batch[0][1].alone:
            return
        reader, writer = self._streams
        name = f"probe-{batch[-1][0]}"
        writer.write(f"GET /jobs/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await read(reader, head=False)
        if name.encode() not in answer.body:
            seen.failures.append(
                (batch[-1][0], f"the answers after {batch[0][0]} are out of step: {answer}")
            )
            self.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=1 << 20)
        return self._streams

    def close(self) -> None:
        """Close; the next batch opens again."""
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].close()
            self._streams = None


async def read(reader: asyncio.StreamReader, head: bool) -> Answer:
    """Read one response."""
    while True:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if status >= 200:
            break
    if head or status in (204, 304):
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        body = b"".join(parts)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = await reader.read()
    return Answer(status, headers, body)


def judge(number: int, call: Call, answer: Answer, seen: Seen) -> None:
    """Note the answer if it must not be."""
    try:
        check(call, answer)
    except Failed as failure:
        seen.failures.append((number, f"{answer.status}: {failure}: {answer.body[:500]!r}"))


def check(call: Call, answer: Answer) -> None:
    """Raise unless this is an answer that a healthy Warren may give.

    While every part is up there is no excuse for a 5xx, the documented 502, 503 and 504 included;
    but who gives the models a moment only may be told that it was too short.
    """
    if answer.status >= 500 and not (call.kind == "parallel" and answer.status == 504):
        raise Failed("a server error")
    for word in (b"Traceback", b'File "', b"root:x:", b"site-packages"):
        if word in answer.body:
            raise Failed(f"the answer holds {word!r}")
    _check_link(answer)
    kind = answer.headers.get("content-type", "")
    parsed = _parse(kind, answer.body)
    if answer.status < 400 or call.head:
        return
    if kind == "application/json" and list(parsed) == ["error"]:  # of paths below /v2
        parsed = {"detail": parsed["error"], "status": answer.status}
    elif kind != "application/problem+json":
        raise Failed(f"an error as {kind or 'nothing'}")
    _check_problem(call, answer, parsed)


def _check_problem(call: Call, answer: Answer, problem: dict[str, Any]) -> None:
    """Raise unless a problem tells what is wrong, without words of Python."""
    if not problem.get("detail") or problem.get("status") != answer.status:
        raise Failed("a problem that does not tell")
    if answer.status == 400 and problem["detail"].startswith(NO_HTTP):
        return  # in the words of the parser
    if words := foreign_words(problem["detail"], call.raw.decode("latin-1")):
        raise Failed(f"the detail holds {words}")


def _parse(kind: str, body: bytes) -> Any:
    """Return what JSON says, or None. Raise unless JSON, and each of JSON lines, is JSON."""
    try:
        if body and kind.partition(";")[0] in ("application/json", "application/problem+json"):
            return json.loads(body, parse_constant=_refuse)
        if body and kind == "application/jsonlines":
            *whole, rest = body.split(b"\n")
            if rest:
                raise Failed("the last line does not end")
            return [json.loads(line, parse_constant=_refuse) for line in whole]
    except ValueError as error:
        raise Failed(f"no JSON ({error})") from None
    return None


def _check_link(answer: Answer) -> None:
    if not LOCATION.match(answer.headers.get("location", "/jobs/a")):
        raise Failed(f"a link to {answer.headers['location']}")


def _refuse(constant: str) -> None:
    raise ValueError(constant)
