"""An attempt's hold on its job: a promise to the job table, renewed as long as the work goes on."""

import logging
import threading
from typing import Self

from app import errors
from app.jobs.store import JobStore
from app.observability import logs

logger = logging.getLogger(__name__)

RENEW_SECONDS = 1.0


class Lease(threading.Thread):
    """Renews the lease of one attempt, from entering to leaving, and writes its progress.

    While the database is away it tries on: nobody else can have taken the job meanwhile, and
    whether somebody has is the first thing the database says when it is back.
    """

    def __init__(self, jobs: JobStore, job_id: str, attempt: int) -> None:
        """Nothing is renewed yet."""
        super().__init__(name=threading.current_thread().name, daemon=True)
        self._jobs = jobs
        self._held = (job_id, attempt)
        self._progress: float | None = None
        self._lost = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()  # what is under way may end later: the row has moved on

    def check(self, progress: float | None = None) -> None:
        """Raise `errors.Fenced` when the job is no longer this attempt's; `progress` is news."""
        if progress is not None:
            self._progress = progress
        if self._lost:
            raise errors.Fenced

    def run(self) -> None:
        """Be the thread that renews."""
        job_id, attempt = self._held
        unwritten: float | None = None
        with logs.job_context(job_id):
            while not self._over.wait(RENEW_SECONDS):
                news, self._progress = self._progress, None
                unwritten = unwritten if news is None else news
                try:
                    if not self._jobs.renew(job_id, attempt, unwritten):
                        self._lost = True
                        return
                    unwritten = None
                except errors.Unavailable as error:
                    logger.warning("the lease could not be renewed: %s", error)
