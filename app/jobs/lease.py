"""Hold and renew leases, which show in the job table that a consumer still runs its jobs."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import errors
from app.jobs.store import JobStore

log = logging.getLogger(__name__)

RENEW_SECONDS = 1.0


class HeldLease:
    """The lease of one running attempt."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        """Create a lease; the keeper's thread calls `on_lost` once if the attempt loses its job."""
        self.progress: float | None = None  # not yet written to the row
        self._on_lost = on_lost
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the attempt is known to have lost its job."""
        return self._lost

    def report(self, progress: float) -> None:
        """Write the progress, a fraction, into the row with the next renewal."""
        self.progress = progress

    def raise_if_lost(self) -> None:
        """Raise `errors.Fenced` if the attempt has lost its job."""
        if self._lost:
            raise errors.Fenced

    def lose(self) -> None:
        """Note that the job is no longer this attempt's, and call `on_lost` the first time."""
        if not self._lost:
            self._lost = True
            self._on_lost()


class LeaseKeeper(threading.Thread):
    """Renews all held leases periodically, in one statement.

    While the database is unavailable, it keeps trying. No other consumer can claim a job during
    that time. The first renewal afterwards shows which jobs are lost.
    """

    def __init__(self, jobs: JobStore, renew_seconds: float = RENEW_SECONDS) -> None:
        """Create the thread without starting it."""
        super().__init__(name="leases", daemon=True)
        self._jobs = jobs
        self._renew_seconds = renew_seconds
        self._held: dict[tuple[str, int], HeldLease] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @property
    def healthy(self) -> bool:
        """Whether the thread is running."""
        return self.is_alive()

    @property
    def held(self) -> int:
        """How many leases are held."""
        return len(self._held)

    def stop(self) -> None:
        """End the thread soon; `join` waits for it."""
        self._stopping.set()

    @contextmanager
    def hold(
        self, job_id: str, attempt: int, on_lost: Callable[[], None] = lambda: None
    ) -> Iterator[HeldLease]:
        """Renew the lease of an attempt until the block ends.

        The block does not wait for a renewal in progress. A renewal that comes late is harmless,
        because it changes only the row of a running attempt.
        """
        key, lease = (job_id, attempt), HeldLease(on_lost)
        with self._lock:
            self._held[key] = lease
        try:
            yield lease
        finally:
            with self._lock:
                del self._held[key]

    def run(self) -> None:
        """Run the thread's main loop."""
        while not self._stopping.wait(self._renew_seconds):
            try:
                self._renew()
            except errors.Unavailable as error:
                log.warning(
                    "the leases of %d jobs could not be renewed: %s", len(self._held), error
                )
            except Exception:  # a bug must not end the thread that all running jobs depend on
                log.exception("the leases could not be renewed")

    def _renew(self) -> None:
        with self._lock:
            held = dict(self._held)
        if not held:
            return
        progress = {key: lease.progress for key, lease in held.items()}
        renewed = self._jobs.renew(progress)
        for key, lease in held.items():
            if key in renewed:
                if lease.progress == progress[key]:  # otherwise there is newer progress to write
                    lease.progress = None
            elif key in self._held:
                lease.lose()
