"""The relay: a thread that looks after the jobs nobody looks after.

It runs in the producer and in every consumer. Each round it queues again what dead consumers have
left, finds the jobs whose message got lost, and publishes what is in the outbox. All of it is safe
to be done twice, and at once.
"""

import logging
import threading
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError, UnroutableError

from app import errors
from app.amqp.connection import run_with_reconnect, with_short_blocked_timeout
from app.amqp.topology import PREDICT_ASYNC_QUEUE, QUEUES_BY_JOB_KIND, TRAIN_QUEUE, declare_topology
from app.jobs import outbox, retry_policy
from app.jobs.store import JobStore
from app.protocol.requests import TrainRequest, job_notification
from app.protocol.types import JSON_MEDIA_TYPE
from app.protocol.validation import validate

log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
# A database that was away has seen no lease renewed: their holders come first.
GRACE_SECONDS = 5.0


class OutboxRelay(threading.Thread):
    """Owns a connection to the broker; without it, or without the database, it waits."""

    def __init__(self, parameters: pika.ConnectionParameters, jobs: JobStore) -> None:
        """Nothing is connected yet."""
        super().__init__(name="relay", daemon=True)
        self._parameters = with_short_blocked_timeout(
            parameters
        )  # nobody waits, and `stop` must not
        self._jobs = jobs
        self._stopping = threading.Event()
        self._reap_from = monotonic() + GRACE_SECONDS

    @property
    def healthy(self) -> bool:
        """Whether the thread lives."""
        return self.is_alive()

    def stop(self) -> None:
        """End with the round under way. Does not wait: `join` does."""
        self._stopping.set()

    def run(self) -> None:
        """Be the thread."""
        run_with_reconnect(self._parameters, "the relay", self._stopping, self._serve)

    def _serve(self, connection: pika.BlockingConnection) -> None:
        # Nobody has looked meanwhile: the database may have been away, too.
        self._reap_from = monotonic() + GRACE_SECONDS
        channel = connection.channel()
        declare_topology(channel)
        channel.confirm_delivery()
        while not self._stopping.is_set():
            try:
                more = self._round(channel)
            except (AMQPError, OSError):
                raise
            except Exception:  # a bug must not end the thread that everybody counts on
                log.exception("a round of the relay failed")
                more = False
            connection.process_data_events(time_limit=0 if more else ROUND_SECONDS)

    def _round(self, channel: BlockingChannel) -> bool:
        """Do what there is to do, a batch at most; tell whether there may be more."""
        try:
            if monotonic() > self._reap_from and (lost := self._jobs.requeue_expired_leases()):
                log.warning("%d leases have ended", lost)
            if missing := outbox.reconcile(self._jobs, _count_waiting(channel)):
                log.warning("the messages of %d jobs are missing", missing)
            entries = outbox.take_unpublished(self._jobs)
            self._publish(channel, entries)
            return len(entries) == outbox.BATCH
        except (NackError, UnroutableError) as error:  # a queue is full, or has just been deleted
            log.warning("the broker takes no more: %r", error)
        except errors.DatabaseUnavailable as error:
            log.warning("%s", error)
            self._reap_from = monotonic() + GRACE_SECONDS
        return False

    def _publish(self, channel: BlockingChannel, entries: list[outbox.OutboxEntry]) -> None:
        """Publish with confirms; what fails goes back to the outbox, but what can never go ends."""
        left = [entry.job_id for entry in entries]
        try:
            for entry in entries:
                try:
                    publish_entry(channel, entry)
                except (errors.Invalid, errors.TooLarge) as error:
                    log.warning("job %s has no message: %s", entry.job_id, error)
                    self._jobs.refuse(entry.job_id, error.to_wire(), delay=0.0)
                left.remove(entry.job_id)
        finally:
            if left:
                self._jobs.mark_unpublished(*left)
        if entries:
            log.info("published %d jobs", len(entries))


def _count_waiting(channel: BlockingChannel) -> dict[str, int]:
    """Count the messages that wait for a consumer, or for their time, by the kind of their job."""

    def waiting(queue: str) -> int:
        return int(channel.queue_declare(queue, passive=True).method.message_count)

    return {kind: sum(map(waiting, names)) for kind, names in QUEUES_BY_JOB_KIND.items()}


def publish_entry(channel: BlockingChannel, entry: outbox.OutboxEntry) -> None:
    """Publish a job's message, a training's to the ladder when it has to wait.

    Raises pika's errors, and `errors.Invalid` or `TooLarge` for a row of which none can be made.
    """
    queue, body, expiration = _message(entry)
    properties = pika.BasicProperties(
        content_type=JSON_MEDIA_TYPE,
        correlation_id=entry.correlation_id,
        reply_to=entry.reply_to,
        message_id=entry.job_id,
        delivery_mode=pika.DeliveryMode.Persistent,
        expiration=expiration,
    )
    channel.basic_publish("", queue, body, properties, mandatory=True)


def _message(entry: outbox.OutboxEntry) -> tuple[str, bytes, str | None]:
    """Return a job's queue, body and expiration."""
    if entry.kind == "predict":
        return PREDICT_ASYNC_QUEUE, job_notification(entry.job_id), None
    request = {**entry.request, "model_id": entry.job_id}
    body = validate(TrainRequest, request).encode()
    if entry.delay > 0:
        return retry_policy.retry_queue(entry.delay), body, str(max(1, int(entry.delay * 1000)))
    return TRAIN_QUEUE, body, None
