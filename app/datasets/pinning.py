"""Pin the data of a training: when it is accepted, or at the latest when an attempt begins."""

from app import errors
from app.datasets.version import DatasetVersion
from app.datasets.versions import DatasetVersions
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.protocol.training_request import TrainRequest


def pin_if_possible(versions: DatasetVersions, request: TrainRequest) -> str | None:
    """Return the version that a message's training learns from, or None if it cannot be had now.

    If it is None, the first attempt pins one, or reports the error. Raises
    `errors.DatabaseUnavailable`.
    """
    try:
        return versions.pin(request.dataset_id, request.dataset_version).version
    except errors.DatabaseUnavailable:
        raise
    except (errors.NotFound, errors.Unavailable):
        return None


def pin_for_attempt(
    versions: DatasetVersions, jobs: JobStore, job: Job, attempt: int, request: TrainRequest
) -> DatasetVersion:
    """Return the version in the job's row; pin one if it has none, so that all attempts read it.

    Raises `errors.NotFound`; `Fenced` if the attempt has lost its job; and the errors of
    `DatasetVersions`.
    """
    if job.dataset_version:
        return versions.get(request.dataset_id, job.dataset_version)
    pinned = versions.pin(request.dataset_id, request.dataset_version)
    if not jobs.pin_dataset(job.id, attempt, pinned.version):
        raise errors.Fenced
    return pinned
