"""A client of the HTTP API."""

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2

DEFAULT_URL = "http://127.0.0.1:5000"
IN_WORK = ("TASK_QUEUED", "TASK_RUNNING")


class ApiError(Exception):
    """The API refused, and said why."""


class Api:
    """JSON in and out; what is not a success becomes an error with the API's own words."""

    def __init__(self, address: str) -> None:
        """Make a client; nothing is sent yet."""
        self.address = address
        # No proxy of the machine stands between us and 127.0.0.1.
        self._http = httpx2.Client(base_url=self.address, timeout=60, trust_env=False)

    def get(self, path: str) -> Any:
        """Ask and return the answer."""
        return self._answer("GET", path)

    def post(self, path: str, body: object) -> Any:
        """Send JSON and return the answer."""
        return self._answer("POST", path, json=body)

    def put(self, path: str, body: object) -> Any:
        """Send JSON and return the answer."""
        return self._answer("PUT", path, json=body)

    def put_onnx(self, path: str, manifest: object, model: Path) -> Any:
        """Send an ONNX file and what it takes and means; return the answer."""
        with model.open("rb") as file:
            parts = {
                "manifest": ("manifest.json", json.dumps(manifest), "application/json"),
                "model": (model.name, file, "application/octet-stream"),
            }
            return self._answer("PUT", path, files=parts)

    def put_csv(self, path: str, text: str) -> Any:
        """Send a CSV and return the answer."""
        return self._answer("PUT", path, content=text, headers={"Content-Type": "text/csv"})

    def follow(
        self, job_id: str, seconds: float, changed: Callable[[str], None] = lambda _: None
    ) -> dict[str, Any]:
        """Return a job when it is completed, and tell of each new state. Raises `ApiError`."""
        deadline, shown = monotonic() + seconds, None
        while True:
            job: dict[str, Any] = self.get(f"/jobs/{job_id}")
            state = job["state"]
            if state != shown:
                changed(state)
                shown = state
            if state == "TASK_COMPLETED":
                return job
            if state not in IN_WORK:
                said = (job["error"] or {}).get("detail")
                raise ApiError(f"the job {job_id} ended as {state}: {said}")
            if monotonic() > deadline:
                raise ApiError(f"the job {job_id} was still {state} after {seconds:.0f} s")
            sleep(0.1)

    def not_ready(self) -> list[str]:
        """Name the parts of the stack that do not work yet."""
        try:
            health = self._http.get("/health/all").json()
        except (httpx2.TransportError, ValueError):
            return ["API"]
        checks = health["checks"].items()
        return [name for name, check in checks if check["status"] != "ok"]

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        try:
            answer = self._http.request(method, path, **content)
        except httpx2.TransportError as error:
            raise ApiError(f"{method} {path}: no answer from {self.address} ({error})") from error
        if answer.is_success:
            return answer.json()
        raise ApiError(f"{method} {path}: {answer.status_code} {reason(answer)}")


def reason(answer: httpx2.Response) -> str:
    """Read what a problem document says."""
    try:
        problem = answer.json()
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return answer.text
