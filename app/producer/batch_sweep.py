"""Delete the files that batch jobs leave behind: of their parts, and of jobs that are not kept."""

from collections.abc import Sequence

from app.jobs.parts import forget_parts, leftovers
from app.jobs.store import JobStore
from app.storage.batch_files import BatchFiles


def clean_up_batches(jobs: JobStore, files: BatchFiles) -> int:
    """Delete the parts of batch jobs that have ended, and their files; return how many jobs.

    A job of which S3 keeps a file is tried again by the next call.
    """
    cleaned = 0
    for each in leftovers(jobs.engine):
        if files.delete_folder(each.folder, each.kept):
            forget_parts(jobs.engine, each.job_id)
            cleaned += 1
    return cleaned


def delete_results(files: BatchFiles, job_ids: Sequence[str]) -> None:
    """Delete all files of batch jobs whose rows are deleted next, but those that S3 keeps."""
    for job_id in job_ids:
        files.delete_folder(files.folder(job_id))
