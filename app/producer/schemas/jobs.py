"""Bodies of HTTP responses about jobs."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.jobs.long_answers import LISTED_CHARACTERS, LONG_CHARACTERS
from app.models.manifest import FitWarning, FoldScores
from app.producer.schemas.batch import BatchResult
from app.protocol.preprocessing import ResolvedPreprocessing
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
    """A job.

    The fields from `metrics` to `warnings` are those of a completed training: null before the end,
    and for other jobs. Trainings of older versions have `metrics` alone.
    """

    id: str = Field(description="The id of the job; a training and its model have the same one.")
    kind: str = Field(description="`train`, `predict` or `batch`.")
    state: JobStatus
    dataset_id: str | None
    dataset_version: str | None = Field(
        None, description="The content that a training learns from, whatever the data set is now."
    )
    tags: list[str] = Field([], description="The tags of the request.")
    request: dict[str, Any] | None = Field(
        description="What was asked for; null in a list if it is long."
    )
    shortened: bool = Field(
        default=False,
        description="Whether members are left out because they are long: in a list those with "
        f"more than {LISTED_CHARACTERS:,} characters, in an event and after a cancel answers with "
        f"more than {LONG_CHARACTERS:,}. `GET /jobs/{{id}}` has them.",
    )
    attempt: int = Field(description="How many attempts began.")
    failures: int = Field(description="How many attempts failed.")
    version: int = Field(description="A number that grows with each change of the job.")
    worker: str | None = Field(
        description="The thread of a consumer that ran the newest attempt; `parts` while the parts "
        "of a batch job are scored."
    )
    progress: float | None = Field(
        description="The fraction done of the running attempt; null if that is not known, since "
        "only forests, boosting, trainings of several fits and batch jobs tell it."
    )
    parts: int | None = Field(
        None, description="Into how many parts a batch job was split; `progress` counts them."
    )
    seconds_left: float | None = Field(
        None, description="An estimate from the pace of the fit; null outside of a fit."
    )
    queue_position: int | None = Field(
        None, description="The place of a waiting job: 1 is the next. Lists of jobs do not have it."
    )
    metrics: dict[str, float] | None = Field(
        description="The metrics on the test rows, by name; with `cv` their means over the folds, "
        "and empty if nothing was measured."
    )
    cross_validation: dict[str, FoldScores] | None = Field(
        None,
        description="With `cv` each metric's mean, standard deviation, and value of each fold, "
        "which is null where a fold does not define the metric.",
    )
    test_metrics: dict[str, float] | None = Field(
        None, description="The metrics on the test rows that a training with `cv` had besides."
    )
    estimator: str | None = Field(None, description="The estimator by Warren's name.")
    params: dict[str, Any] | None = Field(
        None, description="All parameters of the fit: those asked for, and the defaults."
    )
    calibrate: str | None = Field(None, description="How the probabilities were calibrated.")
    preprocessing: ResolvedPreprocessing | None = Field(
        None, description="What was done to the columns and to the target, the defaults included."
    )
    runtime: str | None = Field(
        None, description="What answers predictions: `onnx` or `scikit-learn`."
    )
    runtime_reason: str | None = Field(None, description="Why the runtime is not `onnx`.")
    parity: float | None = Field(
        None,
        description="The largest difference between the answers of the runtime and those of "
        "scikit-learn on the test rows, or without any on training rows: of a regressor as a share "
        "of the target's standard deviation, of a classifier between two probabilities.",
    )
    warnings: list[FitWarning] | None = Field(
        None, description="What is odd about the data and the fit."
    )
    error: dict[str, Any] | None = Field(description="The error of the last failure.")
    created_at: datetime
    run_after: datetime | None = Field(
        description="When a job that failed and waits will be tried again."
    )
    started_at: datetime | None = Field(description="When the newest attempt began.")
    ended_at: datetime | None


class PredictionResult(BaseModel):
    """The answer of a model, and how long it took in milliseconds."""

    model_id: str
    prediction: Any
    pred_proba: Any
    outputs: Any = Field(None, exclude_if=lambda value: value is None)
    elapsed_ms: float


class JobView(JobSummary):
    """A job, and its answers if it is a prediction.

    The fields from `metrics` to `warnings` are null unless it is a training that completed.
    """

    result: PredictionResult | BatchResult | None = Field(
        None,
        description="The answer of a prediction job, or what is known of the result of a batch "
        "job; null until there is one.",
    )
    sync: dict[str, Any] | None = Field(
        None, description="The answer of the fast model of `POST /predict/sync_async`."
    )
    disagree: bool | None = Field(
        None, description="Whether the two answers differ; null until there are both."
    )


class Jobs(BaseModel):
    """A page of jobs; `next` is the cursor of the page that follows, null on the last one."""

    jobs: list[JobSummary]
    next: str | None
