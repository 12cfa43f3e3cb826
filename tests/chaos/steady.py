"""A well-behaved client of `POST /predict` that counts its waits from when it wanted to ask.

`python -m tests.chaos.steady JOURNAL URL MODEL RATE` asks so often a second until stdin ends,
and then waits for all answers. It is a process of its own, so that nothing else of the run makes
its figures.
"""

import http.client
import json
import sys
import threading
from pathlib import Path
from random import Random
from time import monotonic, time
from urllib.parse import urlsplit

from devstack.demo import ROW
from tests.chaos.journal import Journal

CLIENTS = 8
PATIENCE = 30.0
HEADERS = {"Content-Type": "application/json"}


class Client(threading.Thread):
    """One connection, kept open; it asks at times of its own clock (an open loop)."""

    def __init__(
        self, url: str, body: bytes, journal: Journal, rate: float, seed: int, end: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._end = end
        at = urlsplit(url)
        self._http = http.client.HTTPConnection(at.hostname or "", at.port, timeout=PATIENCE)
        self._body = body
        self._journal = journal
        self._rate = rate
        self._chance = Random(seed)

    def run(self) -> None:
        due, now = monotonic(), time()
        begun = due
        while True:
            due += self._chance.expovariate(self._rate)
            if self._end.wait(max(0.0, due - monotonic())):
                break
            status = self._ask()
            self._journal.write(at=now + due - begun, seconds=monotonic() - due, status=status)

    def _ask(self) -> int:
        """Return the status; 0 for no answer at all."""
        try:
            self._http.request("POST", "/predict", self._body, HEADERS)
            answer = self._http.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._http.close()  # the next request opens it again
            return 0
        return answer.status


def main(url: str, journal: Path, model: str, rate: float) -> None:
    """Ask until stdin ends."""
    body = json.dumps({"model_id": model, "input_data": ROW}).encode()
    written = Journal(journal)
    end = threading.Event()
    clients = [Client(url, body, written, rate / CLIENTS, seed, end) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    sys.stdin.read()
    end.set()
    for client in clients:
        client.join()


if __name__ == "__main__":
    main(sys.argv[2], Path(sys.argv[1]), sys.argv[3], float(sys.argv[4]))
