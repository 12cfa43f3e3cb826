"""Whether a message's job is to be run here and now: the dialogue with its row."""

import logging
from functools import partial

from app import errors
from app.amqp.message import IncomingMessage
from app.jobs.record import Job
from app.jobs.store import SUSPECT_SECONDS, JobStore
from app.protocol.replies import Reply
from app.protocol.requests import TrainRequest
from app.protocol.types import JobStatus
from app.protocol.validation import validate
from app.retry import RetryUntilAvailable

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.25  # how often a lease is looked at that may not be renewed any more
LOOKS = round(SUSPECT_SECONDS / WATCH_SECONDS)  # so many in vain, and its holder is dead


def claim_job(
    jobs: JobStore,
    worker: str,
    patiently: RetryUntilAvailable,
    delivery: IncomingMessage,
    request: TrainRequest,
    job_id: str,
) -> tuple[TrainRequest, int] | None:
    """Claim the job, writing its row first for a client that speaks AMQP only.

    Returns what the row asks for, and the attempt. None when there is nothing to be done: of a job
    that has ended the end is told again; one that runs is watched if the message comes again: is
    its lease renewed, then this is a duplicate, else its consumer is dead. Raises `errors.Invalid`
    or `TooLarge` for what cannot become a row.
    """
    seen: Job | None = None
    looks = 0
    while True:
        job = patiently(lambda: jobs.get(job_id))
        if job is None:
            patiently(lambda: _accept(jobs, delivery, request, job_id))
            continue
        asked = validate(TrainRequest, job.request) if job.kind == "train" else None
        if asked is None or not asked.asks_the_same(request):
            what = "another training" if asked else "taken"
            other = errors.Invalid("model_id", f"{job_id} is {what}")
            delivery.reply(Reply.error(other, job_id))
            return None
        if job.ended:
            logger.info("duplicate dropped: %s in attempt %d", job.state, job.attempt)
            reply_with_end(delivery, job)
            return None
        watched = delivery.redelivered and looks >= LOOKS
        attempt = patiently(partial(jobs.claim, job_id, worker, redelivered=watched))
        running = job.state is JobStatus.RUNNING
        if attempt is not None:
            if running and job.worker != worker:
                logger.warning("taken over from %s", job.worker)
            return asked, attempt
        if running and (not delivery.redelivered or (seen and _renewed(seen, job))):
            logger.info("duplicate dropped: attempt %d runs on %s", job.attempt, job.worker)
            return None
        if running:
            seen, looks = seen or job, looks + 1
            patiently.wait(WATCH_SECONDS)


def reply_with_end(delivery: IncomingMessage, job: Job | None) -> None:
    """Reply with the end of a job; while it waits for its next attempt there is none."""
    if job is None or not job.ended:
        return
    fields = {"metrics": job.metrics, "error": job.error}
    known = {name: value for name, value in fields.items() if value is not None}
    logger.info("attempt %d: %s %s", job.attempt, job.state, known)
    delivery.reply(Reply(job.state, job.id, known))


def _accept(jobs: JobStore, delivery: IncomingMessage, request: TrainRequest, job_id: str) -> bool:
    request.encode()  # or what this becomes could not be published again
    return jobs.create(
        job_id,
        "train",
        request.dataset_id,
        request.model_dump(),
        reply_to=storable(delivery.reply_to),
        correlation_id=storable(delivery.correlation_id),
    )


def _renewed(before: Job, after: Job) -> bool:
    return (before.attempt, before.lease_until) != (after.attempt, after.lease_until)


def storable(name: object) -> str | None:
    """Return a name as a row can hold it; PostgreSQL refuses NUL, and bytes are no text."""
    return name if isinstance(name, str) and "\0" not in name else None
