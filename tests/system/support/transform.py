"""SageMaker's batch transform, played: split by line, call concurrently, assemble by line."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2

MEGABYTE = 2**20


@dataclass(frozen=True)
class Transform:
    """A transform job with SplitType and AssembleWith `Line`.

    Without a strategy or a payload's size, those of /execution-parameters are taken.
    """

    http: httpx2.Client
    headers: dict[str, str]
    strategy: str | None = None
    payload: int | None = None

    def run(self, data: bytes) -> list[bytes]:
        """Return the lines of the output."""
        answer = self.http.get("/execution-parameters")
        assert answer.status_code == 200
        known = answer.json()
        strategy = self.strategy or known["BatchStrategy"]
        size = self.payload or known["MaxPayloadInMB"] * MEGABYTE
        lines = data.splitlines(keepends=True)
        payloads = list(multi_record(lines, size) if strategy == "MULTI_RECORD" else lines)
        assert b"".join(payloads) == data
        with ThreadPoolExecutor(known["MaxConcurrentTransforms"]) as pool:
            return [line for output in pool.map(self._invoke, payloads) for line in output]

    def _invoke(self, payload: bytes) -> list[bytes]:
        answer = self.http.post("/invocations", content=payload, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.content.splitlines()


def multi_record(lines: list[bytes], size: int) -> Iterator[bytes]:
    """Yield as many whole lines at a time as `size` bytes hold."""
    some: list[bytes] = []
    filled = 0
    for line in lines:
        if some and filled + len(line) > size:
            yield b"".join(some)
            some, filled = [], 0
        some.append(line)
        filled += len(line)
    yield b"".join(some)
