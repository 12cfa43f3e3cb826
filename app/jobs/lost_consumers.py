"""Find consumers that are gone, and requeue their jobs without waiting for the leases.

A consumer is gone if it renews no lease, and its presence queue does not exist. Neither is enough:
a consumer without the database keeps its queue, one without the broker keeps renewing. A consumer
that lives is therefore only taken for dead while it has neither.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from pika.adapters.blocking_connection import BlockingConnection

from app.jobs.presence import is_present
from app.jobs.store import JobStore

log = logging.getLogger(__name__)

SILENT_SECONDS = 3.0  # three renewals
GAP_SECONDS = 2.0  # between two looks; after a longer one, nothing is known of the time between


class LostConsumers:
    """The watch of one relay over the leases of all consumers."""

    def __init__(
        self, jobs: JobStore, timer: Callable[[], float], silent_seconds: float = SILENT_SECONDS
    ) -> None:
        """Watch the leases of a table; `timer` returns seconds."""
        self._jobs = jobs
        self._timer = timer
        self._silent_seconds = silent_seconds
        self._seen: dict[str, tuple[datetime, float]] = {}  # the latest lease, and since when
        self._looked = timer()

    def forget(self) -> None:
        """Begin to watch anew, because the consumers may have been unable to renew."""
        self._seen.clear()

    def requeue(self, connection: BlockingConnection) -> int:
        """Look once; requeue the jobs of the consumers that are gone, and return how many."""
        leases = self._jobs.leases()
        now = self._timer()
        if now - self._looked > GAP_SECONDS:  # this process, or the database, stood still
            self.forget()
        self._looked = now
        before = self._seen
        self._seen = {
            consumer: before[consumer]
            if consumer in before and before[consumer][0] == lease
            else (lease, now)
            for consumer, lease in leases.items()
        }
        found = 0
        for consumer, (lease, since) in self._seen.items():
            if now - since >= self._silent_seconds and not is_present(connection, consumer):
                log.warning("the consumer %s is gone", consumer)
                found += self._jobs.requeue_lost(consumer, lease)
        return found
