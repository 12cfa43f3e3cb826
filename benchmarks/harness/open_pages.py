"""Open pages of a stack that has many jobs, one of which changes all the time."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx2
import sqlalchemy as sa

from app.database.tables import jobs_table
from app.jobs.reader import JobReader
from benchmarks.harness.servers import Stack

REQUESTS_A_SECOND = 12  # to which the producer slows down all open pages together
JOBS = 200
CHANGE_SECONDS = 1.0  # after which a training that runs writes its progress again


class OpenPages:
    """Asks for pages as browsers do: with the tag of what they show.

    Of twenty pages, five are overviews, six are lists of all jobs, two of a filter, six are jobs,
    and one has the consumers. `asked` counts the requests.
    """

    def __init__(self, stack: Stack) -> None:
        """Write the training of the stack's model once more, as many others."""
        self.asked = 0
        self._url = stack.url
        self._jobs = JobReader(stack.settings["DATABASE_URL"])
        self._newest = stack.model_id
        which = sa.select(jobs_table).where(jobs_table.c.id == self._newest)
        with self._jobs.engine.begin() as connection:
            (row,) = connection.execute(which).mappings()
            ages = ((number, timedelta(minutes=number)) for number in range(1, JOBS))
            rows = [
                {**row, "id": f"open-{number}", "created_at": row["created_at"] - age}
                for number, age in ages
            ]
            connection.execute(sa.insert(jobs_table), rows)
        newest = [self._newest, *(f"open-{number}" for number in range(1, 6))]
        paths = [*["/ui"] * 5, *["/ui/jobs"] * 6, "/ui/jobs?kind=train", "/ui/jobs?tag=none"]
        paths += ["/ui/workers", *(f"/ui/jobs/{each}" for each in newest)]
        random.Random(0).shuffle(paths)
        self._paths = itertools.cycle(paths)
        self._tags: dict[str, str] = {}

    @contextmanager
    def refreshed(self) -> Iterator[None]:
        """Ask for the pages, `REQUESTS_A_SECOND` of all, while the block runs."""
        stopping = threading.Event()
        threads = [
            threading.Thread(target=each, args=(stopping,)) for each in (self._ask, self._change)
        ]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            stopping.set()
            for each in threads:
                each.join()

    def _ask(self, stopping: threading.Event) -> None:
        with httpx2.Client(base_url=self._url, trust_env=False) as client:
            begun = time.monotonic()
            for number in itertools.count(1):
                path = next(self._paths)
                answer = client.get(path, headers={"If-None-Match": self._tags.get(path, '""')})
                if answer.status_code != 304:
                    answer.raise_for_status()
                self._tags[path] = answer.headers["etag"]
                self.asked += 1
                if stopping.wait(max(0.0, begun + number / REQUESTS_A_SECOND - time.monotonic())):
                    return

    def _change(self, stopping: threading.Event) -> None:
        newest = sa.update(jobs_table).where(jobs_table.c.id == self._newest)
        while not stopping.wait(CHANGE_SECONDS):
            with self._jobs.engine.begin() as connection:
                connection.execute(newest.values(version=jobs_table.c.version + 1))
