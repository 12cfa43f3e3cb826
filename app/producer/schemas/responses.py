"""Bodies of HTTP responses, without those about jobs, models and health."""

from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

from app.inference.ensemble import CombineMethod
from app.protocol.types import JobStatus
from app.tables.dialect import Dialect, Kind


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

    `pred_proba` holds a classifier's probabilities by label, or a regressor's prediction again; it
    is null for a classifier without probabilities. The key of a label is its JSON text, that of a
    text label the text itself. `outputs` holds further outputs by name, if the manifest of an
    uploaded model names some; else it is left out.
    """

    status: JobStatus
    model_id: str
    prediction: Any
    pred_proba: Any
    outputs: Any = None


class Predictions(BaseModel):
    """The predictions for rows in a wrapper, in their order."""

    predictions: list[Any]


class Invocation(RootModel[Prediction | Predictions]):
    """`{"predictions"}` for rows in a wrapper, else the answer of `/predict` without `message`."""


class ExecutionParameters(BaseModel):
    """The limits that SageMaker's batch transform asks a container for; a MB has 2^20 bytes."""

    MaxConcurrentTransforms: int
    BatchStrategy: str
    MaxPayloadInMB: int


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
    outputs: Any = None
    error: BranchError | None = None


class Combined(BaseModel):
    """The combination of the answers, a list for lists. `of` is the number of answers.

    It has an `error` if the method cannot combine them, or two models have no label in common.

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


class Stored(BaseModel):
    """A stored data set: its columns, rows and size in bytes, and how its file is read.

    `version` names this content: it is the sha256 of the file. `dialect` is null unless the format
    is CSV. `warnings` name probable mistakes in the file that do not keep a training from using it.
    """

    model_config = ConfigDict(from_attributes=True)

    dataset_id: str
    version: str
    columns: list[str]
    rows: int
    size: int
    format: Kind
    dialect: Dialect | None
    warnings: list[str]
