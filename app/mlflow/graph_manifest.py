"""Describe an ONNX graph of rows by a manifest: its inputs by a signature, its output by its shape.

Only a child process imports this, because it imports onnx.
"""

import json
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from app import errors
from app.mlflow.onnx_flavour import Column
from app.models.graph_spec import FeatureKind
from app.models.manifest import OnnxManifest
from app.protocol.validation import parse_request
from app.protocol.wording import listed

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}
_KINDS: dict[int, FeatureKind] = {TensorProto.STRING: "text", TensorProto.BOOL: "boolean"}
_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
MAX_FEATURES = 10_000  # as many as an input of a manifest has
_MANIFEST = "send the ONNX file with a manifest, as multipart/form-data"


def describe_graph(file: bytes, columns: list[Column] | None) -> OnnxManifest:
    """Return the manifest of a graph; `columns` are those of its signature, if it has any.

    Raises `errors.Invalid` if the graph does not tell what a row or its prediction is.
    """
    try:
        graph = onnx.load_model_from_string(file).graph
    except DecodeError:
        raise errors.Invalid("model", "it is not an ONNX file, or it is truncated") from None
    constants = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    if not inputs:
        raise errors.Invalid("model", "the graph has no input")
    told = {"inputs": _inputs(inputs, columns), **_output(graph)}
    try:
        return parse_request(OnnxManifest, json.dumps(told).encode())
    except errors.Invalid as error:
        raise errors.Invalid("model", f"it cannot be described: {error.detail}") from None


def _inputs(inputs: list[Any], columns: list[Column] | None) -> list[dict[str, Any]]:
    """Return the inputs: one with all columns, or one for each column, as MLflow feeds them."""
    if len(inputs) == 1:
        (one,) = inputs
        width = _width(one)
        found = columns or [Column(name, required=True) for name in _numbered(one.name, width)]
        if width is not None and width != len(found):
            raise errors.Invalid(
                "model",
                f"its input {one.name} takes {width} columns, and the signature has {len(found)}",
            )
        return [_input(one, found)]
    names = {each.name for each in inputs}
    if columns is not None and {each.name for each in columns} != names:
        raise errors.Invalid(
            "model",
            f"the graph has the inputs {listed(sorted(names))}, and the signature has the columns "
            f"{listed([each.name for each in columns])}; {_MANIFEST}",
        )
    if wide := [each.name for each in inputs if _width(each) != 1]:
        raise errors.Invalid(
            "model", f"its inputs {listed(wide)} take more than one column; {_MANIFEST}"
        )
    required = {each.name: each.required for each in columns or ()}
    return [_input(each, [Column(each.name, required.get(each.name, True))]) for each in inputs]


def _input(value: Any, columns: list[Column]) -> dict[str, Any]:
    kind = value.type.tensor_type.elem_type
    found: dict[str, Any] = {"name": value.name, "features": [each.name for each in columns]}
    if kind in _KINDS:
        found["type"] = _KINDS[kind]
    if kind in _FLOATS and not any(each.required for each in columns):
        found["nullable"] = True
    return found


def _numbered(name: str, width: int | None) -> list[str]:
    """Return names of columns that nobody has named."""
    if width is None:
        raise errors.Invalid(
            "model",
            f"neither a signature nor the graph tells the columns of its input {name}; save it "
            f"with a signature, or {_MANIFEST}",
        )
    if width > MAX_FEATURES:
        raise errors.Invalid(
            "model",
            f"its input {name} takes {width} columns; at most {MAX_FEATURES} may have no names",
        )
    return [name] if width == 1 else [f"{name}_{n}" for n in range(width)]


def _width(value: Any) -> int | None:
    """Return how many columns a tensor [rows] or [rows, columns] has, None if that is open."""
    shape = _shape(value)
    if len(shape) not in (1, 2):
        dimensions = f"{len(shape)} dimensions" if shape else "no known shape"
        raise errors.Invalid(
            "model", f"its input {value.name} has {dimensions}, and a row has one; {_MANIFEST}"
        )
    return 1 if len(shape) == 1 else shape[1]


def _shape(value: Any) -> list[int | None]:
    """Return the dimensions of a value, None for an open one; nothing if it is no tensor."""
    dimensions = value.type.tensor_type.shape.dim
    return [each.dim_value if each.HasField("dim_value") else None for each in dimensions]


def _output(graph: Any) -> dict[str, Any]:
    """Return the output of the prediction, and the labels of a classifier."""
    numbers = [each for each in graph.output if each.type.tensor_type.elem_type in _FLOATS]
    if labels := _labels(graph):
        wide = [o for o in numbers if len(s := _shape(o)) == 2 and s[1] in (None, len(labels))]
        if len(wide) == 1:
            return {
                "output": {"name": wide[0].name, "holds": "probabilities"},
                "labels": labels,
            }
        raise errors.Invalid(
            "model",
            f"it names {len(labels)} labels, and no output has one probability for each; export it "
            "without ZipMap (skl2onnx: options={'zipmap': False}), or " + _MANIFEST,
        )
    if len(graph.output) == len(numbers) == 1:
        shape = _shape(numbers[0])
        if len(shape) == 1 or (len(shape) == 2 and shape[1] in (None, 1)):
            return {"output": {"name": numbers[0].name, "holds": "values"}}
    raise errors.Invalid(
        "model",
        f"its outputs {listed([each.name for each in graph.output])} do not tell what the "
        "prediction is: not one number for each row, nor probabilities of labels that it names; "
        + _MANIFEST,
    )


def _labels(graph: Any) -> list[Any]:
    """Return the labels that the nodes of a classifier name; none if they differ."""
    found: list[list[Any]] = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in _LABELS:
                texts = [each.decode("utf-8", "replace") for each in attribute.strings]
                found.append(texts or list(attribute.ints))
    named = [each for each in found if each]
    return named[0] if named and all(each == named[0] for each in named) else []
