"""What replies of the queues mean, and that none came."""

from typing import Any

from warren_client import errors
from warren_client.problems import error_of_job
from warren_client.records import CANCELLED, COMPLETED, JobRecord, member

RECEIVED = "TASK_RECEIVED"
TRAIN_QUEUE = "queue.model.train"


def late(queue: str) -> errors.WarrenError:
    """Return the error of a request without a last reply in time."""
    if queue == TRAIN_QUEUE:
        return errors.WaitTimeout("the training had not ended in time; it goes on")
    return errors.DeadlineExceeded("no reply came in time; is a consumer running?")


def result(reply: dict[str, Any]) -> dict[str, Any]:
    """Return a reply that is a result. Raises what it tells otherwise."""
    if reply.get("status") == COMPLETED:
        return reply
    if reply.get("status") == CANCELLED:
        job = JobRecord(id=member(reply, "model_id"), state=CANCELLED)
        raise errors.JobCancelled(f"job {job.id} was cancelled", job)
    told = reply.get("error") or {}
    beside = {name: value for name, value in reply.items() if name not in ("status", "error")}
    raise error_of_job({**beside, **told})
