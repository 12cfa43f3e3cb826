"""Read the job of a training, to run it again."""

from app import errors
from app.concurrency import run_in_thread
from app.jobs.record import Job, no_job
from app.producer.callers.access import own
from app.producer.services import Services
from app.protocol.types import JobKind


async def read_training(services: Services, owner: str, job_id: str) -> Job:
    """Return a training of the owner with its whole request.

    Raises `errors.NotFound`, or `errors.Conflict` for another job.
    """
    job = await run_in_thread(services.jobs.get, own(owner, job_id, "job_id", "job"))
    if job is None:
        raise no_job(job_id)
    if job.kind is not JobKind.TRAIN:
        detail = f"job {job_id} is no training, and the inputs of other jobs are not kept"
        raise errors.Conflict("job_id", detail)
    return job
