# Written by `python -m devstack.blocking_client`; change asynchronous/warren.py instead.
"""The client: one object from which everything is reached."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

from warren_client.blocking import primitives
from warren_client.blocking.datasets import Dataset, Datasets
from warren_client.blocking.job import Job
from warren_client.blocking.jobs import Jobs
from warren_client.blocking.models import Models
from warren_client.blocking.names import Names
from warren_client.blocking.transport import Transport
from warren_client.calls import Call, get, with_json
from warren_client.errors import Forbidden, Gone
from warren_client.patience import Patience
from warren_client.profiles import find_server
from warren_client.progress import Progress
from warren_client.records import CANCELLED, COMPLETED, FAILED, DatasetRecord, member
from warren_client.retries import RetryPolicy
from warren_client.tables import as_path
from warren_client.trainings import content_key, training_body

if TYPE_CHECKING:
    import pandas as pd

SICK = 503  # the status of /health/all if a part does not work
MOST_COUNTED = 1000


class Warren:
    """A client of a Warren. It is a context manager, which closes its connections.

    `models`, `names`, `jobs` and `datasets` are what is there.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        profile: str | None = None,
        ca_file: str | Path | None = None,
        timeout: float = 60,
        max_retries: int = 2,
        *,
        patience: float = 300,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = primitives.sleep,
    ) -> None:
        """Find the server; nothing is sent yet.

        What is not given is that of `WARREN_URL`, `WARREN_API_KEY` and `WARREN_CA_FILE`, or of a
        profile in `~/.config/warren/config.toml`; see `warren_client.profiles`. `timeout` are the
        seconds that a call may wait for the next byte of its answer. `patience` are the seconds
        without a word of the server after which a wait gives up. `policy` replaces `max_retries`.

        Raises `Misconfigured`.
        """
        server = find_server(url, api_key, ca_file, profile)
        policy = policy or RetryPolicy(most=max_retries)
        self.transport = Transport(server, timeout, policy, sleep)
        self.datasets = Datasets(self.transport)
        self.jobs = Jobs(self)
        self.models = Models(self)
        self.names = Names(self.transport)
        self._patience = patience

    def __repr__(self) -> str:
        return f"<Warren at {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.transport.server.url

    def train(
        self,
        data: pd.DataFrame | Dataset | str | Path | bytes,
        target: str | None = None,
        name: str | None = None,
        wait: bool = False,
        *,
        again: bool = False,
        idempotency_key: str | None = None,
        progress: Progress = None,
        **options: Any,
    ) -> Job:
        """Train a model on a data frame, a file, or a data set; return the job.

        `options` are other members of `POST /train`, such as `estimator`, `params`, `features`,
        `split`, `cv`, `preprocessing` and `types`. With a `name` the model is the next version of
        that name. `wait` waits for the end, and shows `progress`, as `Job.wait` does.

        A frame or a file is uploaded, once for each content. The same training of the same content
        is the same job, unless that failed, was cancelled, or its model was deleted, or `again` is
        true. A training of a data set is a new job each time, unless an `idempotency_key` is given.

        Raises `Unsendable`, `OSError`, and `WarrenError`; what `Job.wait` does with `wait`.
        """
        if isinstance(data, str) and as_path(data) is None:
            data = Dataset(self.transport, DatasetRecord(id=data))
        content = not isinstance(data, Dataset)
        dataset = data if isinstance(data, Dataset) else self.datasets.upload(data)
        version, types = dataset.version, dataset.types
        body = training_body(dataset.id, version, target, name, types, options)
        repeats = content and not again and idempotency_key is None
        key = idempotency_key or (content_key(body) if repeats else uuid.uuid4().hex)
        job = self._train(body, key)
        if repeats and not self._is_of_use(job):
            job = self._train(body, uuid.uuid4().hex)
        return job.wait(progress=progress) if wait else job

    def train_again(self, body: Mapping[str, Any]) -> Job:
        """Train by the request of another job; return the new job. Raises `WarrenError`."""
        return self._train(body, uuid.uuid4().hex)

    def request(self, method: str, path: str, content: object = None, *, once: bool = False) -> Any:
        """Send any call of the API, with JSON unless it is None; return the JSON of the answer.

        The path may have a query, as in `/jobs?limit=2`. An answer without content is None. With
        `once` it is not sent again if it may have begun, whatever the method is. Raises
        `WarrenError`.
        """
        path, _, query = path.partition("?")
        call = Call(method, path) if content is None else with_json(method, path, content)
        return self.transport.json(
            replace(call, params=parse_qs(query, keep_blank_values=True), once=once)
        )

    def workers(self) -> list[dict[str, Any]]:
        """Return the consumers: where they run, and what they do. Raises `WarrenError`."""
        return list(member(self.transport.json(get("/workers")), "workers"))

    def health(self) -> dict[str, Any]:
        """Return whether each part of the server works, also if one does not.

        Raises `WarrenError`, if the server itself does not answer.
        """
        call = Call("GET", "/health/all", accepts=(SICK,))
        return dict(self.transport.json(call))

    def status(self) -> dict[str, Any]:
        """Return the address, the health, the consumers, and the jobs that have not ended.

        A part that the key may not see is null. Raises `WarrenError`.
        """
        return {
            "url": self.url,
            "health": self._if_allowed(self.health),
            "workers": self._if_allowed(self.workers),
            "running": self._if_allowed(lambda: self._count("TASK_RUNNING")),
            "queued": self._if_allowed(lambda: self._count("TASK_QUEUED")),
        }

    def patience(self) -> Patience:
        """Return a new count of the seconds without a word of the server."""
        return Patience(self._patience, self.transport.policy)

    def _train(self, body: Mapping[str, Any], key: str) -> Job:
        call = with_json("POST", "/train", body, {"Idempotency-Key": key})
        accepted = self.transport.json(call)
        return self.jobs[member(accepted, "message", "model_id")]

    def _is_of_use(self, job: Job) -> bool:
        """Tell whether a job that may be an older one has a model, or will have one."""
        if job.state in (FAILED, CANCELLED):
            return False
        try:
            return job.state != COMPLETED or job.model is not None
        except Gone:
            return False

    def _count(self, state: str) -> int:
        """Return how many jobs are in a state, at most `MOST_COUNTED`."""
        count = 0
        for _ in self.jobs.list(state=state, limit=MOST_COUNTED):
            count += 1
        return count

    def _if_allowed(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Forbidden:
            return None
