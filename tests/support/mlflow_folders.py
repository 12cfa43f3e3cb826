"""Zip archives of MLflow model folders, good and hostile ones, as bytes."""

import io
import json
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from onnx import helper

from tests.support import graphs
from tests.support.graphs import DOUBLE, FLOAT, INT64, STRING

FLAVOUR = {"onnx": {"data": "model.onnx", "onnx_version": "1.23.2"}}


def columns(*names: str, kind: str = "double", **more: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "name": name, "required": True, **more} for name in names]


def mlmodel(inputs: list[dict[str, Any]] | None, flavours: Any = FLAVOUR) -> bytes:
    """The file `MLmodel`, which JSON is, too."""
    told: dict[str, Any] = {"flavors": flavours, "mlflow_version": "3.17.2"}
    if inputs is not None:
        told["signature"] = {"inputs": json.dumps(inputs), "outputs": None, "params": None}
    return json.dumps(told).encode()


def zipped(files: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def folder(
    onnx: bytes, inputs: list[dict[str, Any]] | None = None, below: str = "", **more: bytes
) -> bytes:
    """A folder with a graph, whose signature has these inputs."""
    files = {"MLmodel": mlmodel(inputs), "model.onnx": onnx, "code/evil.py": b"raise SystemExit"}
    return zipped({below + name: content for name, content in {**files, **more}.items()})


def with_link(target: str) -> bytes:
    """A folder whose graph is a link."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("MLmodel", mlmodel(columns("a", "b")))
        link = ZipInfo("model.onnx")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
    return packed.getvalue()


def classifier(
    labels: list[str] | list[int], post_transform: str = "SOFTMAX", intercept: float = 0.5
) -> bytes:
    """A linear classifier, as sklearn-onnx writes one: a label and the probabilities, or scores."""
    count = len(labels)
    texts = isinstance(labels[0], str)
    name = "classlabels_strings" if texts else "classlabels_ints"
    weights = {
        "coefficients": [float(n) for n in range(2 * count)],
        "intercepts": [intercept] * count,
    }
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", "probabilities"],
            domain="ai.onnx.ml",
            post_transform=post_transform,
            **{name: labels},
            **weights,
        )
    ]
    outputs = {
        "label": (STRING if texts else INT64, [None]),
        "probabilities": (FLOAT, [None, count]),
    }
    return graphs.file(nodes, {"x": (FLOAT, [None, 2])}, outputs)


def wide(columns: int) -> bytes:
    """A graph that answers its input, of so many columns."""
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return graphs.file(nodes, {"x": (DOUBLE, [None, columns])}, {"y": (DOUBLE, [None, columns])})


def two_numbers() -> bytes:
    """A graph with two outputs, of which nothing says which is the prediction."""
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in ("y", "z")]
    shape = (DOUBLE, [None, 1])
    return graphs.file(nodes, {"x": shape}, {"y": shape, "z": shape})
