"""Manifests: the descriptions of models, stored inside their files and beside them."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from app.models.graph_spec import Input, Output
from app.models.strict_model import StrictModel
from app.protocol.column_types import ColumnKind
from app.protocol.estimators import CalibrationMethod, Task
from app.protocol.label_keys import Label, label_keys
from app.protocol.preprocessing import ResolvedPreprocessing
from app.protocol.training_options import DatePart
from app.protocol.types import Column, Row
from app.protocol.wording import listed, nfc, quoted, repeated

METADATA_KEY = "warren"  # names the manifest inside a model's file

Runtime = Literal["onnx", "scikit-learn"]
FORMAT = 2  # of the files that this version writes
ZEROS: dict[ColumnKind, JsonValue] = {
    "number": 0,
    "boolean": False,
    "text": "",
    "category": "",
    "date": "1970-01-01",
}


class Feature(BaseModel):
    """A column of the training. It is `nullable`, and may be null, if it had missing values.

    `missing` are the texts that the request declared to mean a missing value.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: ColumnKind
    nullable: bool = False
    missing: list[str] = []

    @property
    def is_number(self) -> bool:
        """Whether the value is a number to the estimator, as booleans and dates are."""
        return self.type not in ("text", "category")


class FitWarning(BaseModel):
    """Something odd that a training met. `field` is the column or the param that it is about."""

    model_config = ConfigDict(frozen=True)

    type: str
    detail: str
    field: str | None = None


class FoldScores(BaseModel):
    """A metric over the folds of a cross-validation: the mean, the standard deviation, each value.

    The deviation divides by the number of folds. A fold that does not define the metric has None,
    and counts in neither.
    """

    model_config = ConfigDict(frozen=True)

    mean: float
    std: float
    folds: list[float | None]


class TrainedManifest(BaseModel):
    """The description of a trained model.

    `params` are all effective parameters of the estimator, and `calibrate` is how a classifier got
    its probabilities, if not by itself. `preprocessing` is what is done to the columns and to the
    target; files of versions without the option have None. `runtime` answers the predictions;
    `runtime_reason` says why that is not ONNX. `parity` is the largest difference between
    scikit-learn's answers and those of the runtime on the test rows, or without any on at most
    10,000 training rows: of a regressor as a share of the target's standard deviation in the
    training rows, of a classifier between probabilities.

    `rows` count those that the model learnt from (`train`), those of the split that tested it
    (`test`; also among the former if it was refitted), and those without a target (`dropped`).
    `metrics` are measured on the test rows; with `cross_validation` they are the means over its
    folds, and `test_metrics` those on the test rows, if there are any. They are empty if nothing
    is measured.

    `labels` are the classes in the order of the probabilities. A classifier without
    `probabilities` answers labels only. `sample` is a row to try the model with: the median or the
    most common value of each column. `memory` are the bytes that the loaded model holds, and
    `row_bytes` those that a run takes for each row. Files of `format` 1 are of versions without
    these fields.
    """

    model_config = ConfigDict(frozen=True)

    model_id: str
    dataset_id: str
    dataset_version: str | None = None
    task: Task
    estimator: str
    params: dict[str, Any]
    calibrate: CalibrationMethod | None = None
    preprocessing: ResolvedPreprocessing | None = None
    features: list[Feature]
    target: str | None
    labels: list[Label] | None
    probabilities: bool = True
    rows: dict[str, int]
    metrics: dict[str, float]
    cross_validation: dict[str, FoldScores] | None = None
    test_metrics: dict[str, float] | None = None
    runtime: Runtime = "onnx"
    runtime_reason: str | None = None
    parity: float | None
    warnings: list[FitWarning] = []
    versions: dict[str, str]
    sample: Row | None = None
    memory: int | None = None
    row_bytes: int = 0
    format: int = 1

    @property
    def date_parts(self) -> list[DatePart]:
        """Return the parts of dates that are columns beside their days."""
        return self.preprocessing.dates if self.preprocessing else []

    @property
    def fit_summary(self) -> dict[str, Any]:
        """Return what the rows of the job and of the model keep of the fit."""
        fitted = {"estimator", "params", "calibrate", "preprocessing"}
        fitted |= {"cross_validation", "test_metrics"}
        answers = {"runtime", "runtime_reason", "parity", "warnings"}
        return self.model_dump(mode="json", include=fitted | answers)


class OnnxManifest(StrictModel):
    """The description of an uploaded ONNX model: the inputs of its graph and its output.

    `output` becomes the prediction. `outputs` names further ones to return with it, as they are.
    """

    kind: Literal["onnx"] = Field("onnx", description="The kind of the model.", examples=["onnx"])
    inputs: Annotated[list[Input], Field(min_length=1, max_length=100)] = Field(
        description="All inputs of the graph.",
        examples=[[{"name": "X", "features": ["sepal_length", "sepal_width"]}]],
    )
    output: Output = Field(
        description="The output that becomes the prediction.",
        examples=[{"name": "probabilities", "holds": "probabilities"}],
    )
    outputs: Annotated[list[Column], Field(max_length=100)] = Field(
        [], description="The names of further outputs to return.", examples=[["embedding"]]
    )
    labels: Annotated[list[Label], Field(min_length=2, max_length=100_000)] | None = Field(
        None,
        description="The classes, in the order of the output's probabilities or logits.",
        examples=[["setosa", "versicolor"]],
    )
    sample: Row | None = Field(
        None,
        description="A row to try the model with.",
        examples=[{"sepal_length": 5.1, "sepal_width": 3.5}],
    )

    @property
    def image(self) -> Input | None:
        """Return the input that is an image, or None for a model of rows."""
        return next((each for each in self.inputs if each.image), None)

    @property
    def features(self) -> list[str]:
        """Return the names of all features, in order."""
        return [name for each in self.inputs for name in each.features or ()]

    @property
    def input_of_feature(self) -> dict[str, Input]:
        """Return the input that holds each feature, in the order of the features."""
        return {name: each for each in self.inputs for name in each.features or ()}

    @property
    def widths(self) -> list[int]:
        """Return how many numbers the output may have for each row."""
        if self.labels is None:
            return [1]
        return [len(self.labels), 1] if len(self.labels) == 2 else [len(self.labels)]

    @property
    def sample_or_zeros(self) -> Row:
        """Return a row to try the model with: the sample, or zeros, false and empty texts."""
        return self.sample or {
            name: ZEROS[each.type] for name, each in self.input_of_feature.items()
        }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image and len(self.inputs) > 1:
            raise ValueError("inputs: an image has to be the only input")
        if twice := repeated(each.name for each in self.inputs):
            raise ValueError(f"inputs: two have the name {quoted(twice[0])}")
        if twice := repeated(map(nfc, self.features)):
            raise ValueError(f"inputs: a feature is named twice: {listed(twice)}")
        if (self.labels is None) != (self.output.holds == "values"):
            raise ValueError("labels: probabilities and logits need them, values have none")
        if twice := repeated([self.output.name, *self.outputs]):
            raise ValueError(f"outputs: one is named twice, or is the output: {listed(twice)}")
        if twice := repeated(label_keys(self.labels or [])):
            raise ValueError(f"labels: two have the same key in pred_proba, {quoted(twice[0])}")
        if self.sample is not None and set(map(nfc, self.sample)) != set(map(nfc, self.features)):
            raise ValueError("sample: it has to hold each feature, and no more")
        return self
