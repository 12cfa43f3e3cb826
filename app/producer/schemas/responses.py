"""HTTP bodies that clients get."""

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

    `pred_proba` holds a classifier's probabilities by label, of a regressor the prediction again.
    """

    status: JobStatus
    model_id: str
    prediction: Any
    pred_proba: Any


class BranchError(BaseModel):
    """What went wrong with one model: the type of a problem, and more members as there."""

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
    """What the answers make together; of lists, a list. `of` says how many answers there were.

    `votes` tells how many models predict each label, `model_id` whose answer was the most certain.
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
    """The answers in the order asked."""

    status: JobStatus
    job_id: str
    elapsed_ms: float
    answers: list[Branch]
    combined: Combined | None = None


class ParallelAnswer(BaseModel):
    """The answer of `POST /predict/parallel`, when at least one model answers."""

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
    """What was seen of a data set while it was stored."""

    dataset_id: str
    columns: list[str]
    rows: int
    size: int


class JobSummary(BaseModel):
    """A job. `attempt` counts those that began, `failures` those that ended badly.

    `progress` is a fraction of the attempt that runs, `seconds_left` an estimate from it. A job
    that waits has a `queue_position` (1 is the next; not in lists), and after a failure it waits
    until `run_after`; `error` is that of the last failure. `started_at` is that of the newest
    attempt. `version` grows with each change.
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
    """The answer of a model, and how long it took."""

    model_id: str
    prediction: Any
    pred_proba: Any
    elapsed_ms: float


class JobView(JobSummary):
    """A job, and of one that predicts the `result`, null until it is there.

    `sync` is what the fast model answered at once, and `disagree` whether the other answered
    something else: null unless both have answered.
    """

    result: PredictionResult | None = None
    sync: dict[str, Any] | None = None
    disagree: bool | None = None


class Jobs(BaseModel):
    """The newest jobs first."""

    jobs: list[JobSummary]


class Alive(BaseModel):
    """`ok`, or there is no answer of this kind."""

    status: str


class Check(BaseModel):
    """One part's health: `ok` or `ng`, how long it took to say so, and what is wrong."""

    status: str
    elapsed_ms: float
    detail: str | None = None


class ModelHealth(BaseModel):
    """How a model answered through this producer.

    `state` is `ok` or `ng` by its last answer, which took `elapsed_ms` and came `seconds_ago`;
    `error` is its last error. What a caller did wrong is among the `calls`, not the `errors`.
    """

    kind: str | None = None
    state: str
    calls: int
    errors: int
    elapsed_ms: float
    seconds_ago: float
    error: str | None = None


class Health(BaseModel):
    """`ok` when every part is.

    `models` are those asked in the last 15 minutes, and have no say: a remote model that fails must
    not take this process out of service for all others.
    """

    status: str
    checks: dict[str, Check]
    models: dict[str, ModelHealth]
