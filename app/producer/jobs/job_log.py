"""Show the log of a job."""

from app.auth.names import shown
from app.auth.shown_names import shown_text
from app.concurrency import run_in_thread
from app.jobs.job_log import MAX_LINES, JobLog, read_log
from app.jobs.record import no_job
from app.jobs.store import JobStore
from app.producer.schemas.job_log import JobLineView, JobLogView


async def job_log(
    jobs: JobStore, job_id: str, owner: str, after: int = 0, limit: int = MAX_LINES
) -> JobLogView:
    """Return at most `limit` lines of a job behind the one of the number `after`.

    `job_id` is a qualified name; the view has names as `owner` has them. Raises `errors.NotFound`.
    """
    found = await run_in_thread(read_log, jobs.engine, job_id, after, limit)
    if found is None:
        raise no_job(job_id)
    return log_view(found, owner, after)


def log_view(found: JobLog, owner: str, after: int = 0) -> JobLogView:
    """Return lines behind the one of the number `after`, with names as `owner` has them."""
    lines = [
        JobLineView.model_validate({**vars(each), "text": shown_text(owner, each.text)})
        for each in found.lines
    ]
    return JobLogView(
        job_id=shown(owner, found.job_id),
        lines=lines,
        next=lines[-1].number if lines else after,
        total=found.total,
        left_out=found.left_out,
        complete=found.complete,
    )
