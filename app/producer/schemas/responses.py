"""Bodies of HTTP responses."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.inference.ensemble import CombineMethod
from app.protocol.types import JobStatus


class Problem(BaseModel):
    """An RFC 9457 problem document; `field` names what was wrong in the request."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


class Accepted(BaseModel):
    """`status` is TASK_RECEIVED once a consumer has checked the request, else TASK_QUEUED."""

    status: JobStatus
    model_id: str


class AcceptedAnswer(BaseModel):
    """The answer of `POST /train`."""

    message: Accepted


class Prediction(BaseModel):
    """`prediction` is a number or a label; lists when a list of rows was sent.

    `pred_proba` holds a classifier's probabilities by label, or a regressor's prediction again.
    """

    status: JobStatus
    model_id: str
    prediction: Any
    pred_proba: Any


class BranchError(BaseModel):
    """The error of one model, with the members of a problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    detail: str


class Branch(BaseModel):
    """One model's answer: a prediction, or an `error` when `status` is TASK_ERROR."""

    status: JobStatus
    model_id: str
    elapsed_ms: float
    prediction: Any = None
    pred_proba: Any = None
    error: BranchError | None = None


class Combined(BaseModel):
    """The combination of the answers, a list for lists. `of` is the number of answers.

    `votes` is the number of models that predict each label; `model_id` names the model whose
    answer is the most certain.
    """

    status: JobStatus
    combine: CombineMethod
    of: int
    prediction: Any = None
    pred_proba: Any = None
    votes: Any = None
    model_id: Any = None
    error: BranchError | None = None


class Parallel(BaseModel):
    """The answers in the order of `model_ids`."""

    status: JobStatus
    job_id: str
    elapsed_ms: float
    answers: list[Branch]
    combined: Combined | None = None


class ParallelAnswer(BaseModel):
    """The answer of `POST /predict/parallel` if at least one model succeeds."""

    message: Parallel


class PredictionAnswer(BaseModel):
    """The answer of `POST /predict`."""

    message: Prediction


class DatasetView(BaseModel):
    """A data set; `size` in bytes."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    size: int
    modified: datetime


class Datasets(BaseModel):
    """All data sets."""

    datasets: list[DatasetView]


class Stored(BaseModel):
    """A stored data set: its columns, rows and size in bytes.

    `warnings` say what is probably a mistake in the file, though a training can use it.
    """

    dataset_id: str
    columns: list[str]
    rows: int
    size: int
    warnings: list[str]


class JobSummary(BaseModel):
    """A job. `attempt` counts the attempts that began, `failures` those that failed.

    `progress` is the fraction done of the running attempt, `seconds_left` an estimate from it. A
    waiting job has a `queue_position` (1 is the next; not in lists); after a failure it waits until
    `run_after`. `error` is that of the last failure, `started_at` that of the newest attempt.
    `version` grows with each change.
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


class Alive(BaseModel):
    """`ok`; otherwise the response is a problem document."""

    status: str


class Check(BaseModel):
    """The health of one service: `ok` or `ng`, the time of the check, and what is wrong."""

    status: str
    elapsed_ms: float
    detail: str | None = None


class ModelHealth(BaseModel):
    """How a model answered the calls of this producer.

    `state` is `ok` or `ng` after its last answer, which took `elapsed_ms` and came `seconds_ago`;
    `error` is its last error. Mistakes of a caller count as `calls`, not as `errors`.
    """

    kind: str | None = None
    state: str
    calls: int
    errors: int
    elapsed_ms: float
    seconds_ago: float
    error: str | None = None


class Health(BaseModel):
    """`ok` if every service is.

    `models` are those that were called in the last 15 minutes. They do not change `status`,
    because a failing remote model must not take this process out of service for all others.
    """

    status: str
    checks: dict[str, Check]
    models: dict[str, ModelHealth]
