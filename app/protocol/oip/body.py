"""The JSON of inference requests of the Open Inference Protocol v2.

https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. The
parameters are those of Triton's extension for binary tensors.
"""

from typing import Any

from pydantic import Field

from app.protocol.examples import ROW
from app.protocol.requests import RequestBody
from app.protocol.types import Column

BINARY_SIZE = "binary_data_size"


class InferInput(RequestBody):
    """An input tensor: a feature by its name, a matrix of all features, or images."""

    name: Column = Field(
        description="A feature of the model; of a matrix any name; of images `image_data`.",
        examples=["age"],
    )
    shape: list[int] = Field(
        description="The number of rows; of a matrix also that of the features.", examples=[[1]]
    )
    datatype: str = Field(
        description="BOOL, BYTES, FP16 to FP64, INT8 to INT64 or UINT8 to UINT64.",
        examples=["FP64"],
    )
    parameters: dict[str, Any] | None = Field(
        None,
        description=f"`{BINARY_SIZE}` is the size of the tensor in the bytes behind the JSON.",
        examples=[{BINARY_SIZE: 8}],
    )
    data: list[Any] | None = Field(
        None,
        description="The elements, row by row, nested or flat; null is a missing value.",
        examples=[[0.038076]],
    )


class InferOutput(RequestBody):
    """An output tensor that is asked for."""

    name: Column = Field(description="An output of the model.", examples=["prediction"])
    parameters: dict[str, Any] | None = Field(
        None,
        description="With `binary_data` true, the tensor comes as bytes behind the JSON.",
        examples=[{"binary_data": False}],
    )


class InferBody(RequestBody):
    """An inference request of the Open Inference Protocol v2."""

    id: str | None = Field(None, description="Is returned with the answer.", examples=["42"])
    parameters: dict[str, Any] | None = Field(
        None,
        description="With `binary_data_output` true, all outputs come as bytes behind the JSON.",
        examples=[{"binary_data_output": False}],
    )
    inputs: list[InferInput] = Field(
        min_length=1,
        description="The input tensors; the data of all features of each row.",
        examples=[
            [
                {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
                for name, value in ROW.items()
            ]
        ],
    )
    outputs: list[InferOutput] | None = Field(
        None,
        description="The output tensors to return; all of them, unless this says otherwise.",
        examples=[[{"name": "prediction"}]],
    )
