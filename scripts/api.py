"""The HTTP API of the local stack, for the scripts that use it."""

from typing import Any

import httpx


class ApiError(Exception):
    """The API refused, and said why."""


class Api:
    """JSON in and out; what is not a success becomes an error with the API's own words."""

    def __init__(self, settings: dict[str, str]) -> None:
        """Make a client; nothing is sent yet."""
        self.address = f"http://{settings['HOST']}:{settings['PORT']}"
        # No proxy of the machine stands between us and 127.0.0.1.
        self._http = httpx.Client(base_url=self.address, timeout=60, trust_env=False)

    def get(self, path: str) -> Any:
        """Ask and return the answer."""
        return self._answer("GET", path)

    def post(self, path: str, body: object) -> Any:
        """Send JSON and return the answer."""
        return self._answer("POST", path, json=body)

    def put_csv(self, path: str, text: str) -> Any:
        """Send a CSV and return the answer."""
        return self._answer("PUT", path, content=text, headers={"Content-Type": "text/csv"})

    def not_ready(self) -> list[str]:
        """Name the parts of the stack that do not work yet."""
        try:
            health = self._http.get("/health/all").json()
        except (httpx.TransportError, ValueError):
            return ["API"]
        checks = health["checks"].items()
        return [name for name, check in checks if check["status"] != "ok"]

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        try:
            answer = self._http.request(method, path, **content)
        except httpx.TransportError as error:
            raise ApiError(f"{method} {path}: no answer from {self.address} ({error})") from error
        if answer.is_success:
            return answer.json()
        raise ApiError(f"{method} {path}: {answer.status_code} {reason(answer)}")


def reason(answer: httpx.Response) -> str:
    """Read what a problem document says."""
    try:
        problem = answer.json()
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return answer.text
