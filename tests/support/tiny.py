"""The smallest models that can be uploaded, and the smallest images."""

import io
import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

Parts = dict[str, tuple[str, bytes, str]]

ROWS: dict[str, Any] = {
    "inputs": [{"name": "x", "features": ["a", "b"]}],
    "output": {"name": "y", "holds": "values"},
    "sample": {"a": 1.0, "b": 2.0},
}
COLOURS: dict[str, Any] = {
    "inputs": [{"name": "x", "image": {"size": [4, 4]}}],
    "output": {"name": "y", "holds": "logits"},
    "labels": ["red", "green", "blue"],
}


def sums() -> bytes:
    """Return a model that adds up the two numbers of a row: `ROWS` tells of it."""
    ones = helper.make_tensor("ones", TensorProto.FLOAT, [2, 1], [1.0, 1.0])
    return _model([helper.make_node("MatMul", ["x", "ones"], ["y"])], ["n", 2], ["n", 1], [ones])


def colours(sharp: float = 10.0) -> bytes:
    """Return a model that names the colour of an image: `COLOURS` tells of it."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [0, 3])
    scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [sharp])
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("Mul", ["flat", "scale"], ["y"]),
    ]
    return _model(nodes, ["n", 3, 4, 4], ["n", 3], [shape, scale])


def _model(
    nodes: list[onnx.NodeProto], takes: list[Any], gives: list[Any], constants: list[Any]
) -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, takes)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, gives)
    graph = helper.make_graph(nodes, "tiny", [x], [y], constants)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def parts(manifest: dict[str, Any], model: bytes) -> Parts:
    """Return what httpx2 sends as the form of `PUT /models/{id}`."""
    return {
        "manifest": ("manifest.json", json.dumps(manifest).encode(), "application/json"),
        "model": ("model.onnx", model, "application/octet-stream"),
    }


def image(colour: tuple[int, int, int] = (255, 0, 0), kind: str = "PNG", side: int = 8) -> bytes:
    """Return a file of one colour."""
    file = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), colour, np.uint8)).save(file, kind)
    return file.getvalue()
