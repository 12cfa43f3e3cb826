"""Bodies of HTTP requests, with examples that run."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from app.inference.ensemble import CombineMethod
from app.protocol.examples import DATASET_ID, ROW, TRAINING
from app.protocol.requests import PredictionInputs, PredictRequest, TrainingSpec
from app.protocol.types import LATEST, Id

PREDICT_EXAMPLE: JsonDict = {"model_id": LATEST, "dataset_id": DATASET_ID, "input_data": ROW}
PARALLEL_EXAMPLE: JsonDict = {
    "model_ids": [LATEST],
    "dataset_id": DATASET_ID,
    "input_data": ROW,
    "combine": "mean",
}
SYNC_ASYNC_EXAMPLE: JsonDict = {
    "sync_model_id": LATEST,
    "async_model_id": LATEST,
    "input_data": ROW,
}
CSV_EXAMPLE = "size,colour,price\n1.5,red,10\n2.5,blue,14\n3.0,red,18\n4.5,,23\n5.0,blue,24\n"


class TrainBody(TrainingSpec):
    """The body of `POST /train`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [TRAINING]})


class PredictBody(PredictRequest):
    """The body of `POST /predict`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PREDICT_EXAMPLE]})


class ParallelBody(PredictionInputs):
    """The body of `POST /predict/parallel`. Unknown keys are errors.

    A model that is listed several times in `model_ids` is called once, and its answer counts
    several times. `seconds` limits the time of each model, which is never longer than its own
    deadline.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PARALLEL_EXAMPLE]})

    model_ids: Annotated[list[Id], Field(min_length=1, max_length=32)]
    dataset_id: Id | None = None
    seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    combine: CombineMethod | None = None
    job_id: Id | None = None


class AsyncBody(PredictionInputs):
    """The body of `POST /predict/async`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PREDICT_EXAMPLE]})

    model_id: Id
    dataset_id: Id | None = None


class SyncAsyncBody(PredictionInputs):
    """The body of `POST /predict/sync_async`. Unknown keys are errors.

    Numbers disagree when they differ by more than `tolerance`, relative to the larger.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SYNC_ASYNC_EXAMPLE]})

    sync_model_id: Id
    async_model_id: Id
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.01


class InvocationBody(PredictionInputs):
    """The JSON body of `POST /invocations`, unless it is a bare row or a list of rows."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"input_data": ROW}]})

    model_id: Id = LATEST
    dataset_id: Id | None = None
    job_id: Id | None = None
