"""Bodies of HTTP responses about jobs."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.models.manifest import FitWarning
from app.protocol.types import JobStatus


class Queued(BaseModel):
    """The id of the job, and the model that will answer."""

    status: JobStatus
    job_id: str
    model_id: str


class QueuedAnswer(BaseModel):
    """The answer of `POST /predict/async`."""

    message: Queued


class Both(BaseModel):
    """The answer of the fast model, or its `error`, and the job of the other one."""

    status: JobStatus
    model_id: str
    prediction: Any = None
    pred_proba: Any = None
    outputs: Any = None
    error: dict[str, Any] | None = None
    elapsed_ms: float
    job_id: str
    async_model_id: str


class BothAnswer(BaseModel):
    """The answer of `POST /predict/sync_async`."""

    message: Both


class JobSummary(BaseModel):
    """A job. `attempt` counts the attempts that began, `failures` those that failed.

    `progress` is the fraction done of the running attempt, null if that is not known: only forests
    and histogram boosting tell it. `seconds_left` is an estimate from the pace of the fit, null
    outside of it. A waiting job has a `queue_position` (1 is the next; not in lists); after a
    failure it waits until `run_after`. `error` is that of the last failure, `started_at` that of
    the newest attempt. `version` grows with each change.

    `request` is what was asked for. A completed training also has what was done: the `estimator`
    with all its effective `params`, and how it was calibrated; the `runtime` that answers
    predictions, and the `runtime_reason` if that is not ONNX; their `parity`; and `warnings` about
    the data and the fit.
    These are null before the end, for other jobs, and for trainings of older versions.
    """

    id: str
    kind: str
    state: JobStatus
    dataset_id: str | None
    request: dict[str, Any]
    attempt: int
    failures: int
    version: int
    worker: str | None
    progress: float | None
    seconds_left: float | None = None
    queue_position: int | None = None
    metrics: dict[str, float] | None
    estimator: str | None = None
    params: dict[str, Any] | None = None
    calibrate: str | None = None
    runtime: str | None = None
    runtime_reason: str | None = None
    parity: float | None = None
    warnings: list[FitWarning] | None = None
    error: dict[str, Any] | None
    created_at: datetime
    run_after: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


class PredictionResult(BaseModel):
    """The answer of a model, and how long it took in milliseconds."""

    model_id: str
    prediction: Any
    pred_proba: Any
    outputs: Any = Field(None, exclude_if=lambda value: value is None)
    elapsed_ms: float


class JobView(JobSummary):
    """A job. `result` is the answer of a prediction job, null until there is one.

    `sync` is the answer of the fast model. `disagree` tells whether the two answers differ. It is
    null until there are both.
    """

    result: PredictionResult | None = None
    sync: dict[str, Any] | None = None
    disagree: bool | None = None


class Jobs(BaseModel):
    """The newest jobs first."""

    jobs: list[JobSummary]
