"""Bodies of HTTP requests, with examples that run."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from app.inference.ensemble import CombineMethod
from app.protocol.examples import DATASET_ID, ROW, SHORT_ROW, TRAIN_EXAMPLE, TRAINED_NAME
from app.protocol.prediction_fields import (
    AskedModel,
    DatasetOfLatest,
    ExtraFields,
    LoggedId,
    SplitKey,
)
from app.protocol.references import ModelReference
from app.protocol.requests import PredictionInputs, PredictRequest, RequestBody
from app.protocol.training_request import TrainingSpec
from app.protocol.types import LATEST

TRAIN_BODY_EXAMPLE: JsonDict = {**TRAIN_EXAMPLE, "name": TRAINED_NAME}
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

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [TRAIN_BODY_EXAMPLE]})


class PredictBody(PredictRequest):
    """The body of `POST /predict`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PREDICT_EXAMPLE]})


class ParallelBody(PredictionInputs):
    """The body of `POST /predict/parallel`. Unknown keys are errors.

    A model that is listed several times in `model_ids` is called once, and its answer counts
    several times. `seconds` limits the time of each model, which is never longer than its own
    deadline.
    """

    EXAMPLE = f'{{"model_ids": ["latest"], "input_data": {SHORT_ROW}}}'
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PARALLEL_EXAMPLE]})

    model_ids: Annotated[list[ModelReference], Field(min_length=1, max_length=32)] = Field(
        description=f"The models; `{LATEST}` may be one of them.", examples=[[LATEST]]
    )
    dataset_id: DatasetOfLatest = None
    split_key: SplitKey = None
    seconds: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        None, description="How long each model may take.", examples=[5]
    )
    combine: CombineMethod | None = Field(
        None,
        description="Also answer one prediction, made of all: the `mean` of numbers or "
        "probabilities, a `vote` of labels, or `max_proba`, the most certain answer.",
        examples=["mean"],
    )
    job_id: LoggedId = None


class AsyncBody(PredictionInputs):
    """The body of `POST /predict/async`. Unknown keys are errors."""

    EXAMPLE = PredictRequest.EXAMPLE
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PREDICT_EXAMPLE]})

    model_id: AskedModel
    dataset_id: DatasetOfLatest = None
    split_key: SplitKey = None


class SyncAsyncBody(PredictionInputs):
    """The body of `POST /predict/sync_async`. Unknown keys are errors.

    Numbers disagree when they differ by more than `tolerance`, relative to the larger.
    """

    EXAMPLE = (
        f'{{"sync_model_id": "latest", "async_model_id": "latest", "input_data": {SHORT_ROW}}}'
    )
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SYNC_ASYNC_EXAMPLE]})

    sync_model_id: ModelReference = Field(
        description=f"The fast model, which answers at once, or `{LATEST}`.", examples=[LATEST]
    )
    async_model_id: ModelReference = Field(
        description=f"The model that answers in the background, or `{LATEST}`.", examples=[LATEST]
    )
    tolerance: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01,
        description="How much two numbers may differ, relative to the larger.",
        examples=[0.05],
    )


class InvocationTarget(RequestBody):
    """The keys beside the rows of `POST /invocations`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    model_id: AskedModel = LATEST
    dataset_id: DatasetOfLatest = None
    split_key: SplitKey = None
    job_id: LoggedId = None
    extra: ExtraFields = None


class InvocationBody(InvocationTarget, PredictionInputs):
    """The body of `POST /invocations` in the form of `/predict`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")
