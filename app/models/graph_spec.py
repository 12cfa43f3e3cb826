"""Graph specs: what the inputs and the output of an uploaded ONNX graph hold."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.models.strict_model import StrictModel
from app.protocol.types import Column

FeatureKind = Literal["number", "boolean", "text"]
_Side = Annotated[int, Field(ge=1, le=4096)]
_Three = Annotated[list[float], Field(min_length=3, max_length=3)]


class Preprocessing(StrictModel):
    """The steps from an image to a tensor: (pixel / 255 - mean) / std, pixels from 0 to 255.

    First the shorter side is scaled to `resize` pixels and the middle is cut out. Without `resize`,
    the whole image is stretched. `size` is the [height, width] of the model's input.
    """

    size: Annotated[list[_Side], Field(min_length=2, max_length=2)] = Field(
        description="The height and width of the model's input.", examples=[[224, 224]]
    )
    resize: _Side | None = Field(
        None,
        description="Pixels of the shorter side, before the middle is cut out.",
        examples=[256],
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] = Field(
        "bilinear", description="How pixels are scaled.", examples=["bicubic"]
    )
    channels: Literal["RGB", "BGR"] = Field(
        "RGB", description="The order of the colours.", examples=["BGR"]
    )
    layout: Literal["NCHW", "NHWC"] = Field(
        "NCHW",
        description="The order of the dimensions: channels before or after height and width.",
        examples=["NHWC"],
    )
    mean: _Three = Field(
        [0.0, 0.0, 0.0],
        description="Is subtracted from each channel of values from 0 to 1.",
        examples=[[0.485, 0.456, 0.406]],
    )
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)] = Field(
        [1.0, 1.0, 1.0],
        description="Divides each channel after that.",
        examples=[[0.229, 0.224, 0.225]],
    )

    @model_validator(mode="after")
    def _covers(self) -> Self:
        if self.resize is not None and self.resize < max(self.size):
            raise ValueError("resize must not be smaller than size")
        return self


class Input(StrictModel):
    """An input of an ONNX graph: a matrix of `features`, all of one `type`, or an `image`.

    `nullable` features may be null. The graph, which has to be one of floats, gets NaN for null.
    """

    name: Column = Field(description="The name of the input in the graph.", examples=["X"])
    features: Annotated[list[Column], Field(min_length=1, max_length=10_000)] | None = Field(
        None,
        description="The names of the columns of the matrix, in order.",
        examples=[["sepal_length", "sepal_width"]],
    )
    type: FeatureKind = Field(
        "number", description="The type of these features.", examples=["text"]
    )
    nullable: bool = Field(
        default=False, description="Whether these features may be null.", examples=[True]
    )
    image: Preprocessing | None = Field(
        None,
        description="How an image becomes this input, in place of `features`.",
        examples=[{"size": [224, 224], "resize": 256}],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.features is None) == (self.image is None):
            raise ValueError("give either features or image")
        if self.image and (self.nullable or self.type != "number"):
            raise ValueError("an image has no type and is not nullable")
        if self.nullable and self.type != "number":
            raise ValueError("nullable: only numbers may be missing")
        return self


class Output(StrictModel):
    """The output of an ONNX graph that holds the answer.

    `values` are numbers, one per row. `probabilities` are [rows, labels]. `logits` are [rows,
    labels], too; a softmax turns them into probabilities. Of two labels, [rows] or [rows, 1] is
    the probability, or the logit, of the second one.
    """

    name: Column = Field(
        description="The name of the output in the graph.", examples=["probabilities"]
    )
    holds: Literal["values", "probabilities", "logits"] = Field(
        description="What its numbers mean.", examples=["probabilities"]
    )
