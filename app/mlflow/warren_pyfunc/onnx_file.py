"""Run ONNX files by onnxruntime, on one core: the order of sums stays the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime

Tensors = dict[str, npt.NDArray[Any]]


def load(path: Path) -> onnxruntime.InferenceSession:
    """Return a session of an ONNX file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def trained_graph(
    path: Path, told: Mapping[str, Any]
) -> Callable[[Tensors], tuple[npt.NDArray[Any], npt.NDArray[Any] | None]]:
    """Return what runs the graph of a trained model."""
    session = load(path)

    def run(inputs: Tensors) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        outputs = session.run(None, inputs)
        if told["labels"] is None or not told["probabilities"]:
            return outputs[0].reshape(-1), None
        if told["format"] == 1:  # whose labels are codes of classes, not places
            return outputs[1].argmax(axis=1), outputs[1]
        return outputs[0], outputs[1]

    return run
