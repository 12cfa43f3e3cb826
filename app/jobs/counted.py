"""Why attempts begin and how they end, as metrics name it."""

from app import errors
from app.jobs.outcomes import (
    AttemptFailed,
    BatchDone,
    Interrupted,
    Lost,
    Outcome,
    PartDone,
    PartsMade,
    PredictionDone,
    Released,
    Retryable,
    TrainingDone,
)
from app.jobs.record import Job

_LOST = (errors.ConsumerLost.type, errors.ChildLost.type)
_OUTCOMES: dict[type[Outcome], str] = {
    TrainingDone: "completed",
    PredictionDone: "completed",
    PartDone: "completed",
    BatchDone: "completed",
    PartsMade: "split",
    Retryable: "retry",
    Interrupted: "interrupted",
    AttemptFailed: "failed",
    Released: "released",
    Lost: "lost",
}


def reason_of(job: Job, attempt: int) -> str:
    """Return why an attempt of a job is needed, by what its row said before."""
    if attempt == 1:
        return "first"
    if job.parts is not None:
        return "assembly"
    if job.error is None:
        return "release"
    return "takeover" if job.error.get("type") in _LOST else "retry"


def outcome_name(outcome: Outcome, *, applied: bool) -> str:
    """Return how an attempt ended; `lost` if its outcome was not written."""
    return _OUTCOMES[type(outcome)] if applied else "lost"
