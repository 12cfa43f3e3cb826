"""A hostile client: it has an address of its own, and writes down what it was answered."""

import json
from time import monotonic
from typing import Any

import httpx2

from tests.chaos.journal import Journal

ADDRESS = "127.0.0.2"  # the well-behaved clients have 127.0.0.1
PREFIX = "hostile-"  # of the ids of all data sets and models that a neighbour makes
PATIENCE = 30.0


class Neighbour:
    """Sends requests of any kind; threads may share it."""

    def __init__(self, url: str, journal: Journal) -> None:
        self.url = url
        self._journal = journal
        self._http = httpx2.Client(
            base_url=url,
            timeout=PATIENCE,
            trust_env=False,
            transport=httpx2.HTTPTransport(local_address=ADDRESS, trust_env=False),
        )

    def ask(self, attack: str, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Send a request and write down what it got; return the status and the JSON of the body.

        Status 0 is no answer at all.
        """
        begun = monotonic()
        try:
            answer = self._http.request(method, path, **more)
            status, text = answer.status_code, answer.text
        except httpx2.TransportError as error:
            status, text = 0, repr(error)
        self.note(attack, str(status), seconds=monotonic() - begun, body=text[:300])
        try:
            return status, json.loads(text)
        except json.JSONDecodeError:
            return status, text

    def note(self, attack: str, outcome: str, count: int = 1, **more: Any) -> None:
        """Write down what a request of an attack got, or so many of them."""
        self._journal.write(attack=attack, outcome=outcome, count=count, **more)


def is_hostile(request: dict[str, Any]) -> bool:
    """Tell whether a job's request is a neighbour's."""
    return any(str(request.get(name)).startswith(PREFIX) for name in ("dataset_id", "model_id"))
