# Written by `python -m devstack.blocking_client`; change asynchronous/jobs.py instead.
"""The jobs of a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from warren_client.blocking.job import Job
from warren_client.blocking.listing import entries
from warren_client.calls import get, part
from warren_client.records import JobRecord, read

if TYPE_CHECKING:
    from warren_client.blocking.warren import Warren


class Jobs:
    """All jobs: by id in brackets, one after the other in a loop, the newest first."""

    def __init__(self, warren: Warren) -> None:
        """Show the jobs of a server."""
        self._warren = warren

    def __repr__(self) -> str:
        return f"<jobs of the Warren at {self._warren.transport.server.url}>"

    def __getitem__(self, job_id: str) -> Job:
        """Return a job, or the newest one for `latest`. Raises `NotFound`, `WarrenError`."""
        return self.find(job_id)

    def find(self, job_id: str, within: float | None = None) -> Job:
        """Return a job as brackets do, perhaps within so many seconds.

        Raises `NotFound`, `WarrenError`: `Unreachable` if no answer comes in time.
        """
        call = replace(get(f"/jobs/{part(job_id)}"), within=within)
        return Job(self._warren, read(JobRecord, self._warren.transport.json(call)))

    def __iter__(self) -> Iterator[Job]:
        return self.list()

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        dataset_id: str | None = None,
        estimator: str | None = None,
        tag: str | None = None,
        metric: str | None = None,
        name: str | None = None,
        text: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Yield jobs, at most `limit`; the filters are those of `GET /jobs`.

        `metric` is a bound such as `r2>=0.4`, and `sort` an order such as `-metrics.r2`. `name` is
        that of a model, and `text` is searched in ids, tags, errors and names of models.
        """
        filters = {"state": state, "kind": kind, "dataset_id": dataset_id, "estimator": estimator}
        more = {"tag": tag, "metric": metric, "name": name, "text": text, "sort": sort}
        for entry in entries(self._warren.transport, "/jobs", "jobs", limit, **filters, **more):
            yield Job(self._warren, read(JobRecord, entry))
