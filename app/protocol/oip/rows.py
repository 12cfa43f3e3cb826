"""Inference requests as requests of predictions: tensors become rows or images.

A tensor is a feature, and its name is that of the feature. One tensor alone is a matrix of all
features, in the model's order, if it has several columns or the name `input-0`.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, SkipValidation

from app import errors
from app.protocol.oip.datatypes import BYTES, texts, unpack_bytes
from app.protocol.oip.request import InferRequest, Tensor
from app.protocol.requests import PredictRequest
from app.protocol.types import MAX_IMAGES

IMAGES = "image_data"  # the name of a tensor of images
MATRIX = "input-0"  # what the metadata call the matrix

# Image files are told from base64 by how they begin; that of WebP could be base64, but for its
# second mark.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG")
_RIFF, _WEBP = b"RIFF", b"WEBP"


class InferPrediction(PredictRequest):
    """A prediction that is asked for and answered by tensors."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    infer: SkipValidation[InferRequest]


_NOTHING = InferRequest(None, [], 0, None, {}, all_binary=False)
_EMPTY = InferPrediction.model_construct(model_id="", infer=_NOTHING)


def to_prediction(infer: InferRequest, model_id: str) -> InferPrediction:
    """Return the request of a prediction. Raises `errors.Invalid` or `TooLarge`."""
    inputs: dict[str, Any] = {"input_data": None, "image_data": None}
    first = infer.tensors[0] if infer.tensors else None
    if first is None:
        inputs["input_data"] = _rows(infer.columns)
    elif len(infer.tensors) == 1 and first.name == IMAGES and first.datatype is BYTES:
        inputs["image_data"] = _images(first)
    elif len(infer.tensors) == 1 and ((first.width or 1) > 1 or first.name == MATRIX):
        inputs["input_data"] = _matrix_rows(first)
    else:
        inputs["input_data"] = _named_rows(infer.tensors)
    # Not validated again, because the values of 10,000 rows are many.
    return _EMPTY.model_copy(update={"model_id": model_id, "infer": infer, **inputs})


def located(error: errors.FieldError) -> errors.FieldError:
    """Return the error of a prediction for the tensors: `input_data.3.age` is `inputs.age.3`."""
    name, _, rest = str(error.extra.get("field")).partition(".")
    if name not in ("input_data", IMAGES):
        return error
    number, _, column = rest.partition(".")
    if name == IMAGES:
        column = IMAGES
    elif not number.isdecimal():
        number, column = "", rest
    return error.renamed(".".join(part for part in ("inputs", column, number) if part))


def _matrix_rows(tensor: Tensor) -> list[list[Any]]:
    width, flat = tensor.width or 1, tensor.elements()
    return [list(flat[begin : begin + width]) for begin in range(0, len(flat), width)]


def _named_rows(tensors: list[Tensor]) -> list[dict[str, Any]]:
    for each in tensors:
        if (each.width or 1) > 1:
            said = "a matrix of all features has to be the only input; a feature has one column"
            raise errors.Invalid(each.field, said)
    return _rows({each.name: each.elements() for each in tensors})


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _images(tensor: Tensor) -> list[str]:
    """Return images as base64, which they are in JSON; as bytes, they may be the files."""
    count = tensor.rows * (tensor.width or 1)
    if count > MAX_IMAGES:
        said = f"has {count} images; send at most {MAX_IMAGES} at a time"
        raise errors.TooLarge(tensor.field, said, limit=MAX_IMAGES)
    if isinstance(tensor.data, list):
        files = list(tensor.elements())
    else:
        found = unpack_bytes(tensor.data, count, tensor.name)
        files = texts(
            [base64.b64encode(each) if _is_image(each) else each for each in found], tensor.name
        )
    for number, each in enumerate(files):
        if not each:
            raise errors.Invalid(f"{tensor.field}.{number}", "is empty")
    return files


def _is_image(file: bytes) -> bool:
    return file.startswith(_MAGIC) or (file.startswith(_RIFF) and file[8:12] == _WEBP)
