"""Manifests: the descriptions of models, stored inside their ONNX files and beside them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.protocol.types import Column, Explained, Row
from app.wording import nfc

METADATA_KEY = "warren"  # the manifest's key among the ONNX file's metadata properties

Label = bool | int | str
_Label = Annotated[Label, Explained("a label is a string, a whole number, or true or false")]


class Feature(BaseModel):
    """A column of the training. It is `nullable`, and may be null, if it had missing values."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "boolean", "text"]
    nullable: bool = False


class TrainedManifest(BaseModel):
    """The description of a trained model.

    `parity` is the largest relative difference between scikit-learn's answers and ONNX's on the
    test rows. `labels` are the classes in the order of the probabilities. `sample` is a row to
    try the model with: the median or the most common value of each column.
    """

    model_config = ConfigDict(frozen=True)

    model_id: str
    dataset_id: str
    task: Literal["regression", "classification"]
    estimator: str
    params: dict[str, Any]
    features: list[Feature]
    target: str
    labels: list[Label] | None
    rows: dict[str, int]
    metrics: dict[str, float]
    parity: float | None
    versions: dict[str, str]
    sample: Row | None = None


class StrictModel(BaseModel):
    """The base of models that clients write. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Side = Annotated[int, Field(ge=1, le=4096)]
_Three = Annotated[list[float], Field(min_length=3, max_length=3)]


class Preprocessing(StrictModel):
    """The steps from an image to a tensor: (pixel / 255 - mean) / std, pixels from 0 to 255.

    First the shorter side is scaled to `resize` pixels and the middle is cut out. Without `resize`,
    the whole image is stretched. `size` is the [height, width] of the model's input.
    """

    size: Annotated[list[_Side], Field(min_length=2, max_length=2)]
    resize: _Side | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    channels: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    mean: _Three = [0.0, 0.0, 0.0]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)] = [
        1.0,
        1.0,
        1.0,
    ]

    @model_validator(mode="after")
    def _covers(self) -> Self:
        if self.resize is not None and self.resize < max(self.size):
            raise ValueError("resize must not be smaller than size")
        return self


class Input(StrictModel):
    """An input of an ONNX graph: a matrix of `features`, or an `image`."""

    name: Column
    features: Annotated[list[Column], Field(min_length=1, max_length=10_000)] | None = None
    image: Preprocessing | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.features is None) == (self.image is None):
            raise ValueError("give either features or image")
        return self


class Output(StrictModel):
    """The output of an ONNX graph that holds the answer.

    `values` are numbers, one per row. `probabilities` are [rows, labels]. `logits` are [rows,
    labels], too; a softmax turns them into probabilities.
    """

    name: Column
    holds: Literal["values", "probabilities", "logits"]


class OnnxManifest(StrictModel):
    """The description of an uploaded ONNX model: the inputs of its graph and its output."""

    kind: Literal["onnx"] = "onnx"
    inputs: Annotated[list[Input], Field(min_length=1, max_length=100)]
    output: Output
    labels: Annotated[list[_Label], Field(min_length=2, max_length=100_000)] | None = None
    sample: Row | None = None

    @property
    def image(self) -> Input | None:
        """Return the input that is an image, or None for a model of rows."""
        return next((each for each in self.inputs if each.image), None)

    @property
    def features(self) -> list[str]:
        """Return the names of all features, in order."""
        return [name for each in self.inputs for name in each.features or ()]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image and len(self.inputs) > 1:
            raise ValueError("inputs: an image has to be the only input")
        if len({each.name for each in self.inputs}) < len(self.inputs):
            raise ValueError("inputs: two have the same name")
        if len(set(self.features)) < len(self.features):
            raise ValueError("inputs: a feature is named twice")
        if (self.labels is None) != (self.output.holds == "values"):
            raise ValueError("labels: probabilities and logits need them, values have none")
        if len({str(label) for label in self.labels or ()}) < len(self.labels or ()):
            raise ValueError("labels: one is given twice")
        if self.sample is not None and set(map(nfc, self.sample)) != set(map(nfc, self.features)):
            raise ValueError("sample: it has to hold each feature, and no more")
        return self
