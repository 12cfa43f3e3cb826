"""Ask Warren about one image: the request, its retries, and the answer."""

import asyncio
import base64
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import httpx2

from warren_client.records import ENDED

Call = Literal["predict", "parallel", "sync_async", "async"]
Combine = Literal["mean", "vote", "max_proba"]

POLL = 0.1, 2.0  # seconds between two looks at a job, at first and at most
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Failed(Exception):
    """There is no answer; the message says why."""


@dataclass(frozen=True)
class Question:
    """The question about every image: the call and its models.

    `predict` and `async` ask one model, `sync_async` the fast one and then the other.
    """

    call: Call
    models: tuple[str, ...]
    combine: Combine | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for what the call does not take."""
        wanted = {"predict": 1, "async": 1, "sync_async": 2}.get(self.call)
        if wanted and len(self.models) != wanted:
            raise ValueError(
                f"{self.call} takes {wanted} --model, and there are {len(self.models)}"
            )
        if self.combine and self.call != "parallel":
            raise ValueError("only parallel has something to combine")

    @property
    def path(self) -> str:
        """Return the path of the call."""
        return "/predict" if self.call == "predict" else f"/predict/{self.call}"

    def body(self, image: bytes) -> dict[str, Any]:
        """Return the body of the POST request."""
        inputs = {"image_data": base64.b64encode(image).decode()}
        if self.call == "parallel":
            combine = {"combine": self.combine} if self.combine else {}
            return {"model_ids": list(self.models), **combine, **inputs}
        if self.call == "sync_async":
            return {"sync_model_id": self.models[0], "async_model_id": self.models[1], **inputs}
        return {"model_id": self.models[0], **inputs}


@dataclass(frozen=True)
class ImageClient:
    """Asks about images over one HTTP client.

    It sends a request again if Warren was busy or unreachable: `tries` times in all, with a `pause`
    in seconds unless Warren says how long to wait.
    """

    http: httpx2.AsyncClient
    tries: int = 4
    pause: float = 2.0

    async def ask(self, question: Question, image: bytes) -> dict[str, Any]:
        """Return `{"call", "answer"}`, with the ended `job` if there was one. Raises `Failed`."""
        said = await self._request("POST", question.path, json=question.body(image))
        try:
            found = {"call": question.call, "answer": said["message"]}
            if question.call in ("async", "sync_async"):
                found["job"] = await self._ended(said["message"]["job_id"])
        except (KeyError, TypeError) as error:
            raise Failed(
                f"{self.http.base_url} does not answer as Warren does: {error!r}"
            ) from None
        return found

    async def _ended(self, job_id: str) -> dict[str, Any]:
        """Wait for a job and return it. Raises `Failed` unless it ends as completed."""
        pause, longest = POLL
        while True:
            job: dict[str, Any] = await self._request("GET", f"/jobs/{job_id}")
            if job["state"] == "TASK_COMPLETED":
                return job
            if job["state"] in ENDED:
                raise Failed(f"the job {job_id} ended as {job['state']}: {told(job['error'])}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    async def _request(self, method: str, path: str, **content: Any) -> Any:
        """Return the JSON of a success; try again if that does no harm. Raises `Failed`."""
        for left in reversed(range(self.tries)):
            pause = self.pause
            try:
                answer = await self.http.request(method, path, **content)
            except httpx2.TransportError as error:
                harmless = method == "GET" or isinstance(error, httpx2.ConnectError)
                if not left or not harmless:
                    why = error or repr(error)
                    raise Failed(f"no answer from {self.http.base_url}: {why}") from None
            else:
                if answer.is_success:
                    return parsed(answer)
                if not left or answer.status_code not in BUSY:
                    raise Failed(f"{answer.status_code} {reason(answer)}")
                with suppress(ValueError):  # it may be a date
                    pause = float(answer.headers.get("Retry-After", pause))
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")


def parsed(answer: httpx2.Response) -> Any:
    """Return the JSON of an answer. Raises `Failed`."""
    try:
        return answer.json()
    except ValueError:
        raise Failed(f"{answer.url} does not answer with JSON") from None


def told(error: dict[str, Any] | None) -> str:
    """Return the detail of a job's error."""
    return str((error or {}).get("detail") or "no reason given")


def reason(answer: httpx2.Response) -> str:
    """Read what a problem document says."""
    try:
        problem = answer.json()
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return answer.text
