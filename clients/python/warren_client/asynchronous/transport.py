"""Send calls, again where that does no harm, and return answers or raise errors."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

from warren_client.asynchronous.primitives import AsyncHttp, pieces, sleep
from warren_client.calls import Call
from warren_client.errors import UnexpectedAnswer, Unreachable
from warren_client.failures import reason, shown
from warren_client.problems import error_of_answer
from warren_client.profiles import Server
from warren_client.retries import RetryPolicy, may_have_begun, was_deleted
from warren_client.trust import trusted, uses_proxies

CONNECT_SECONDS = 10.0
SHORTEST_SECONDS = 0.001
# The server sends a comment every 15 s through a stream of events.
LEAST_STREAM_SECONDS = 60.0
Told = Callable[[int, int | None], None]


class AsyncTransport:
    """A connection to a server, which any number of calls may use at a time."""

    def __init__(
        self,
        server: Server,
        timeout: float,
        policy: RetryPolicy,
        sleep: Callable[[float], Awaitable[None]] = sleep,
    ) -> None:
        """Send nothing yet. A call may wait `timeout` seconds for the next byte of its answer.

        Raises `Misconfigured` for a certificate authority that cannot be used.
        """
        self.server = server
        self.policy = policy
        self.sleep = sleep
        self._timeout = timeout
        self._http = AsyncHttp(
            base_url=server.url,
            trust_env=uses_proxies(server.url),
            headers={"X-API-Key": server.api_key} if server.api_key else {},
            verify=trusted(server.ca_file),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def json(self, call: Call) -> Any:
        """Send a call and return the JSON of its answer, if it has any. Raises `WarrenError`."""
        answer = await self.send(call)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise UnexpectedAnswer(
                f"{self.server.url} does not answer with JSON; is it a Warren?"
            ) from None

    async def send(self, call: Call) -> httpx2.Response:
        """Send a call and return its answer, if it is one. Raises `WarrenError`."""
        retry, lost = 0, False
        end = inf if call.within is None else monotonic() + call.within
        while True:
            try:
                answer = await self._once(call, end - monotonic())
            except httpx2.TransportError as failure:
                lost = lost or may_have_begun(failure)
                pause = self.policy.pause_after_failure(call, retry, failure)
                if pause is None or monotonic() + pause >= end:
                    raise self._unreachable(failure) from shown(failure)
            else:
                status = answer.status_code
                if answer.is_success or status in call.accepts:
                    return answer
                if was_deleted(call, status, lost=lost):
                    return answer
                refusal = error_of_answer(answer)
                pause = self.policy.pause_after_refusal(call, retry, refusal)
                if pause is None or monotonic() + pause >= end:
                    raise refusal
            await self.sleep(pause)
            retry += 1

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[httpx2.Response]:
        """Send a call once, and give its answer while it comes. Raises `WarrenError`."""
        try:
            async with self._http.stream(
                call.method,
                call.path,
                params=call.params,
                headers=call.headers,
                timeout=self._timeouts(max(call.seconds, LEAST_STREAM_SECONDS)),
            ) as answer:
                if not answer.is_success and answer.status_code not in call.accepts:
                    await answer.aread()
                    raise error_of_answer(answer)
                yield answer
        except httpx2.TransportError as failure:
            raise self._unreachable(failure) from shown(failure)

    async def download(self, call: Call, path: Path, told: Told = lambda *_: None) -> Path:
        """Save an answer as a file: the whole or none. Raises `WarrenError` and `OSError`.

        `told` gets the bytes that have come, and how many there will be if that is known.
        """
        partial = path.with_name(f".{path.name}.part")
        retry = 0
        try:
            while True:
                try:
                    await self._save(call, partial, told)
                    return partial.replace(path)
                except Unreachable:
                    if retry >= self.policy.most:
                        raise
                await self.sleep(self.policy.pause(retry))
                retry += 1
        finally:
            partial.unlink(missing_ok=True)

    async def _save(self, call: Call, path: Path, told: Told) -> None:
        async with self.stream(call) as answer:
            length = answer.headers.get("Content-Length")
            total = int(length) if length else None
            come = 0
            with path.open("wb") as file:
                async for piece in answer.aiter_bytes():
                    file.write(piece)
                    come += len(piece)
                    told(come, total)

    async def _once(self, call: Call, left: float) -> httpx2.Response:
        if call.form:
            with call.form.file.open("rb") as file:
                manifest = json.dumps(call.form.manifest).encode()
                parts = {
                    "manifest": ("manifest.json", manifest, "application/json"),
                    "model": (call.form.file.name, file, "application/octet-stream"),
                }
                return await self._request(call, left, files=parts)
        if isinstance(call.body, Path):
            length = {"Content-Length": str(call.body.stat().st_size)}
            sized = replace(call, headers={**call.headers, **length})
            return await self._request(sized, left, content=pieces(call.body))
        return await self._request(call, left, content=call.body)

    async def _request(self, call: Call, left: float, **content: Any) -> httpx2.Response:
        return await self._http.request(
            call.method,
            call.path,
            params=call.params,
            headers=call.headers,
            timeout=self._timeouts(call.seconds, left),
            **content,
        )

    def _timeouts(self, least: float, most: float = inf) -> httpx2.Timeout:
        most = max(most, SHORTEST_SECONDS)
        seconds = min(max(self._timeout, least), most)
        return httpx2.Timeout(seconds, connect=min(self._timeout, CONNECT_SECONDS, most))

    def _unreachable(self, failure: httpx2.TransportError) -> Unreachable:
        why = reason(failure)
        return Unreachable(f"no answer from {self.server.url}: {why}")
