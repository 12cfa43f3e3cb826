"""Reply with the end of a training."""

import logging
from collections.abc import Iterator

from app.amqp.message import IncomingMessage
from app.jobs.record import Job
from app.protocol.replies import Cancelled, Failed, TrainCompleted
from app.protocol.types import JobStatus

log = logging.getLogger(__name__)


def reply_with_end(message: IncomingMessage, job: Job | None) -> None:
    """Reply with the outcome of a job; send nothing if it waits for its next attempt."""
    if job is None or not job.ended:
        return
    log.info("attempt %d: %s", job.attempt, ", ".join(_said(job)))
    match job.state:
        case JobStatus.COMPLETED:
            message.reply(TrainCompleted(job.id, metrics=job.metrics or {}))
        case JobStatus.CANCELLED:
            message.reply(Cancelled(job.id, error=job.error))
        case _:
            message.reply(Failed(job.id, error=job.error or {}))


def _said(job: Job) -> Iterator[str]:
    """Yield the state of a job, and its metrics or the type of its error; for people."""
    yield job.state
    if job.error and job.state is JobStatus.ERROR:
        yield str(job.error.get("type"))
    for name, value in (job.metrics or {}).items():
        yield f"{name} {value:.6g}"
