"""Turn the raw outputs of an uploaded model's graph into predictions."""

from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from app.inference.predictor import Prediction, Tensors
from app.inference.runtime import NO_PLACE, Answers
from app.models.manifest import OnnxManifest

MAX_LABELS = 100  # with more labels, a prediction has only the `TOP_LABELS` most probable ones
TOP_LABELS = 5


def read_outputs(
    outputs: Tensors, spec: OnnxManifest, keys: list[str], count: int
) -> list[Prediction | None]:
    """Return the predictions of `count` rows or images.

    `outputs` are those that `spec` names, and `keys` those of its labels in `pred_proba`. With more
    than `MAX_LABELS` labels a prediction has only the most probable ones. It is None if it is not
    finite. In the further outputs, null stands for numbers that are not finite.
    """
    output = outputs[spec.output.name]
    predictions: list[Prediction | None]
    if spec.labels is None:
        numbers = output.reshape(count).tolist()
        predictions = [{"prediction": n, "pred_proba": n} if isfinite(n) else None for n in numbers]
    else:
        predictions = [_classified(row, spec, keys) for row in _probabilities(output, spec, count)]
    if not spec.outputs:
        return predictions
    further = {name: _json_values(outputs[name]) for name in spec.outputs}
    return [
        each and {**each, "outputs": {name: values[n] for name, values in further.items()}}
        for n, each in enumerate(predictions)
    ]


def read_answers(output: npt.NDArray[Any], spec: OnnxManifest, count: int) -> Answers:
    """Return the answers of `count` rows; one that is not finite is missing."""
    if spec.labels is None:
        return Answers(output.astype(np.float64).reshape(count), None)
    probabilities = _probabilities(output, spec, count)
    finite = np.asarray(np.isfinite(probabilities).all(axis=1))
    best = np.where(finite[:, None], probabilities, 0.0).argmax(axis=1)
    return Answers(np.where(finite, best, NO_PLACE), probabilities)


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probabilities [rows, labels] of logits of the same shape."""
    with np.errstate(invalid="ignore"):  # from infinities, whose rows become None
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _probabilities(
    output: npt.NDArray[Any], spec: OnnxManifest, count: int
) -> npt.NDArray[np.float64]:
    """Return the probabilities [rows, labels]."""
    logits = spec.output.holds == "logits"
    values = output.astype(np.float64).reshape(count, -1)
    if values.shape[1] == 1:  # of two labels the second one; a sigmoid is a softmax beside 0
        values = np.hstack([np.zeros_like(values) if logits else 1 - values, values])
    return softmax(values) if logits else values


def _classified(
    row: npt.NDArray[np.float64], spec: OnnxManifest, keys: list[str]
) -> Prediction | None:
    assert spec.labels is not None
    if not np.isfinite(row).all():
        return None
    shown = len(keys) if len(keys) <= MAX_LABELS else TOP_LABELS
    order = np.argsort(-row, kind="stable")[:shown].tolist()
    listed = sorted(order) if shown == len(keys) else order
    return {
        "prediction": spec.labels[order[0]],
        "pred_proba": {keys[n]: float(row[n]) for n in listed},
    }


def _json_values(output: npt.NDArray[Any]) -> list[Any]:
    """Return an output as lists, with null for numbers that are not finite."""
    if issubclass(output.dtype.type, np.floating) and not np.isfinite(output).all():
        finite = np.isfinite(output)
        output = output.astype(object)
        output[~finite] = None
    listed: list[Any] = output.tolist()
    return listed
