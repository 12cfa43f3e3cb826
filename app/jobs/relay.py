"""The relay: a thread that publishes the outbox and requeues the jobs of dead consumers.

It runs in the producer and in every consumer, whose presence its connection shows. In each round it
requeues jobs of lost consumers and those whose lease has expired, keeps the shares of callers fair,
finds jobs whose message was lost, and publishes the outbox. Rounds may overlap and repeat safely.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError, UnroutableError

from app import errors
from app.amqp.connection import login_of, run_with_reconnect, with_short_blocked_timeout
from app.amqp.properties import trace_headers
from app.amqp.topology import (
    QUEUES_BY_JOB_KIND,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
    ensure_topology,
    restore_topology,
)
from app.jobs import outbox, retry_policy, shares
from app.jobs.lost_consumers import LostConsumers
from app.jobs.model_publication import publish_missing_models
from app.jobs.parts import end_failed_batches
from app.jobs.presence import announce
from app.jobs.store import JobStore
from app.observability import tracing
from app.observability.messaging_spans import send_span
from app.observability.metrics import catalogue
from app.protocol.requests import job_notification
from app.protocol.training_request import TrainRequest
from app.protocol.types import JSON_MEDIA_TYPE, JobKind
from app.protocol.validation import validate

log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
GRACE_SECONDS = 5.0  # after an outage, how long consumers have to renew their leases first


class OutboxRelay(threading.Thread):
    """Owns a connection to the broker. Waits while the broker or the database is unavailable."""

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        jobs: JobStore,
        *,
        consumer: str | None = None,
        round_seconds: float = ROUND_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        batch: int = outbox.BATCH,
        queues: Mapping[JobKind, Sequence[str]] = QUEUES_BY_JOB_KIND,
        retry_queue: Callable[[float], str] = retry_policy.retry_queue,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Create the thread without connecting.

        `consumer` is the name of the consumer that it runs in. A round publishes up to `batch`
        jobs; the next one follows after `round_seconds`. `queues` names the queues in which the
        messages of each kind of job may wait. `retry_queue` chooses a retry queue by the delay.
        """
        super().__init__(name="relay", daemon=True)
        # No client waits for the relay, and `stop` must not wait either.
        self._parameters = with_short_blocked_timeout(parameters)
        self._user = login_of(parameters)
        self._jobs = jobs
        self._consumer = consumer
        self._lost_consumers = LostConsumers(jobs, timer)
        self._round_seconds = round_seconds
        self._grace_seconds = grace_seconds
        self._batch = batch
        self._queues = queues
        self._retry_queue = retry_queue
        self._timer = timer
        self._stopping = threading.Event()
        self._models_checked = False
        self._let_holders_renew()

    @property
    def healthy(self) -> bool:
        """Whether the thread is running."""
        return self.is_alive()

    def stop(self) -> None:
        """End after the current round, without waiting for it; `join` waits."""
        self._stopping.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        run_with_reconnect(self._parameters, "the relay", self._stopping, self._serve)

    def _serve(self, connection: pika.BlockingConnection) -> None:
        self._let_holders_renew()  # the database may have been unavailable, too
        ensure_topology(connection)
        channel = connection.channel()
        channel.confirm_delivery()
        announced = False
        while not self._stopping.is_set():
            try:
                if self._consumer and not announced:
                    announced = announce(connection, self._consumer)
                more = self._round(channel)
            except (AMQPError, OSError, errors.BrokerUnavailable):
                raise
            except Exception:  # a bug must not end the thread that all jobs depend on
                log.exception("a round of the relay failed")
                more = False
            connection.process_data_events(time_limit=0 if more else self._round_seconds)

    def _let_holders_renew(self) -> None:
        self._requeue_from = self._timer() + self._grace_seconds
        self._lost_consumers.forget()

    def _round(self, channel: BlockingChannel) -> bool:
        """Run one round, a batch at most; return whether there may be more to publish."""
        try:
            if not self._models_checked:
                if found := publish_missing_models(self._jobs.engine):
                    log.warning("%d models had no row", found)
                self._models_checked = True
            if self._timer() > self._requeue_from:
                self._requeue(channel)
            waiting = _count_waiting(channel, self._queues)
            if missing := outbox.reconcile(self._jobs, waiting):
                log.warning("the messages of %d jobs are missing", missing)
                catalogue.RECOVERIES.add("republish", by=missing)
            entries = outbox.take_unpublished(self._jobs, self._batch)
            self._publish(channel, entries)
            return len(entries) == self._batch
        except (NackError, UnroutableError) as error:  # a queue is full, or was just deleted
            log.warning("the broker takes no more: %r", error)
            if isinstance(error, UnroutableError):  # a queue may have lost its binding
                restore_topology(channel.connection)
        except errors.Unavailable as error:  # the database is, or its disk is full
            log.warning("%s", error)
            self._let_holders_renew()
        return False

    def _requeue(self, channel: BlockingChannel) -> None:
        """Requeue what no consumer runs any longer, and what has to leave its slot to another."""
        if lost := self._lost_consumers.requeue(channel.connection):
            log.warning("%d jobs of lost consumers are requeued", lost)
            catalogue.RECOVERIES.add("takeover", by=lost)
        if expired := self._jobs.requeue_expired_leases():
            log.warning("%d leases have expired", expired)
            catalogue.RECOVERIES.add("takeover", by=expired)
        if failed := end_failed_batches(self._jobs.engine):
            log.warning("%d batch jobs ended, because a part failed", failed)
        if job_id := shares.give_one_back(self._jobs):
            log.warning("job %s is requeued, because another caller waits", job_id)

    def _publish(self, channel: BlockingChannel, entries: list[outbox.OutboxEntry]) -> None:
        """Publish with confirms.

        Unpublished jobs return to the outbox. A job that makes no valid message counts a failure.
        """
        left = [entry.job_id for entry in entries]
        try:
            for entry in entries:
                try:
                    publish_entry(channel, entry, self._retry_queue, user=self._user)
                except (errors.Invalid, errors.TooLarge) as error:
                    log.warning("job %s has no message: %s", entry.job_id, error)
                    self._jobs.refuse(entry.job_id, error.to_wire(), delay=0.0)
                left.remove(entry.job_id)
        finally:
            if left:
                self._jobs.mark_unpublished(*left)
        if entries:
            log.info("published %d jobs", len(entries))


def _count_waiting(
    channel: BlockingChannel, queues: Mapping[JobKind, Sequence[str]]
) -> dict[JobKind, int]:
    """Count the waiting messages in the queues of each kind of job."""

    def waiting(queue: str) -> int:
        return int(channel.queue_declare(queue, passive=True).method.message_count)

    return {kind: sum(map(waiting, names)) for kind, names in queues.items()}


def publish_entry(
    channel: BlockingChannel,
    entry: outbox.OutboxEntry,
    retry_queue: Callable[[float], str] = retry_policy.retry_queue,
    *,
    user: str | None = None,
) -> None:
    """Publish a job's message as `user`; publish a delayed training to a retry queue.

    Raises pika's errors, and `errors.Invalid` or `TooLarge` for a row that makes no valid message.
    """
    queue, body, expiration = _message(entry, retry_queue)
    sent_by = [entry.traceparent] if entry.traceparent else []
    with send_span(WORK_EXCHANGE, queue, message_id=entry.job_id, parents=sent_by):
        _publish(channel, queue, body, expiration, entry, user)


def _publish(
    channel: BlockingChannel,
    queue: str,
    body: bytes,
    expiration: str | None,
    entry: outbox.OutboxEntry,
    user: str | None,
) -> None:
    properties = pika.BasicProperties(
        content_type=JSON_MEDIA_TYPE,
        correlation_id=entry.correlation_id,
        reply_to=entry.reply_to,
        message_id=entry.job_id,
        delivery_mode=pika.DeliveryMode.Persistent,
        expiration=expiration,
        user_id=user,
        headers=trace_headers(tracing.traceparent() or entry.traceparent),
    )
    channel.basic_publish(WORK_EXCHANGE, queue, body, properties, mandatory=True)


def _message(
    entry: outbox.OutboxEntry, retry_queue: Callable[[float], str]
) -> tuple[str, bytes, str | None]:
    """Return a job's queue, body and expiration."""
    if entry.kind is not JobKind.TRAIN:
        (queue,) = QUEUES_BY_JOB_KIND[entry.kind]
        return queue, job_notification(entry.job_id), None
    request = {**entry.request, "model_id": entry.job_id}
    body = validate(TrainRequest, request).encode()
    if entry.delay > 0:
        return retry_queue(entry.delay), body, str(max(1, int(entry.delay * 1000)))
    return TRAIN_QUEUE, body, None
