"""Reply with the end of a training."""

import logging

from app.amqp.message import IncomingMessage
from app.jobs.record import Job
from app.protocol.replies import Cancelled, Failed, TrainCompleted
from app.protocol.types import JobStatus

log = logging.getLogger(__name__)


def reply_with_end(message: IncomingMessage, job: Job | None) -> None:
    """Reply with the outcome of a job; send nothing if it waits for its next attempt."""
    if job is None or not job.ended:
        return
    log.info("attempt %d: %s %s", job.attempt, job.state, job.metrics or job.error or "")
    match job.state:
        case JobStatus.COMPLETED:
            message.reply(TrainCompleted(job.id, metrics=job.metrics or {}))
        case JobStatus.CANCELLED:
            message.reply(Cancelled(job.id, error=job.error))
        case _:
            message.reply(Failed(job.id, error=job.error or {}))
