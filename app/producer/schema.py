"""HTTP bodies: what clients send, with examples that run, and what they get."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.messages import LATEST, PredictRequest, Status, Training

_ROW: JsonDict = {
    "age": 0.038076,
    "bmi": 0.061696,
    "bp": 0.021872,
    "s1": -0.044223,
    "s2": -0.034821,
    "s3": -0.043401,
    "s4": -0.002592,
    "s5": 0.019908,
    "s6": -0.017646,
}
TRAIN_EXAMPLE: JsonDict = {"dataset_id": "diabetes", "features": list(_ROW), "target": "target"}
PREDICT_EXAMPLE: JsonDict = {"model_id": LATEST, "dataset_id": "diabetes", "input_data": _ROW}
CSV_EXAMPLE = "size,colour,price\n1.5,red,10\n2.5,blue,14\n3.0,red,18\n4.5,,23\n5.0,blue,24\n"


class TrainBody(Training):
    """The body of `POST /train`. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [TRAIN_EXAMPLE]})


class PredictBody(PredictRequest):
    """The body of `POST /predict`. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PREDICT_EXAMPLE]})


class Problem(BaseModel):
    """An RFC 9457 problem document; `field` names what was wrong in the request."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


class Accepted(BaseModel):
    """`status` is TASK_RECEIVED once a consumer has checked the request, else TASK_QUEUED."""

    status: Status
    model_id: str


class AcceptedAnswer(BaseModel):
    """The answer of `POST /train`."""

    message: Accepted


class Prediction(BaseModel):
    """`prediction` is a number or a label; lists when a list of rows was sent.

    `pred_proba` holds a classifier's probabilities by label, of a regressor the prediction again.
    """

    status: Status
    model_id: str
    prediction: Any
    pred_proba: Any


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


class Uploaded(BaseModel):
    """What was seen of a data set while it was stored."""

    dataset_id: str
    columns: list[str]
    rows: int
    size: int


class JobView(BaseModel):
    """A job. `attempt` counts those that began, `failures` those that ended badly.

    `progress` is a fraction of the attempt that runs, `seconds_left` an estimate from it. A job
    that waits has a `queue_position` (1 is the next; not in lists), and after a failure it waits
    until `run_after`; `error` is that of the last failure. `started_at` is that of the newest
    attempt. `version` grows with each change.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    state: Status
    dataset_id: str
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


class Jobs(BaseModel):
    """The newest jobs first."""

    jobs: list[JobView]


class ModelView(BaseModel):
    """A trained model in short."""

    model_id: str
    dataset_id: str
    estimator: str
    metrics: dict[str, float] | None
    trained_at: datetime | None


class Models(BaseModel):
    """The newest models first."""

    models: list[ModelView]


class Check(BaseModel):
    """One part's health: `ok` or `ng`, how long it took to say so, and what is wrong."""

    status: str
    elapsed_ms: float
    detail: str | None = None


class Health(BaseModel):
    """`ok` when every part is."""

    status: str
    checks: dict[str, Check]
