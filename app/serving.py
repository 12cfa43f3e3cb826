"""Answer from ONNX: sessions, the checks of a row, batches.

With `uploaded` this is all that knows onnxruntime.
"""

import json
import os
from math import isfinite
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from app import errors
from app.manifest import METADATA_KEY, Feature, Manifest
from app.messages import Inputs, Row

# Else it reports models and runs to Microsoft; its own switch comes too late, after the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

Answer = dict[str, Any]
Tensors = dict[str, npt.NDArray[Any]]


class Servable(Protocol):
    """A model that can answer, of whatever kind; any number of threads may ask it."""

    bytes: int

    @property
    def model_id(self) -> str:
        """Return the model's id."""

    def prepare(self, inputs: Inputs) -> list[Any]:
        """Check and return what is asked, one by one. Raises `errors.Invalid` or `TooLarge`."""

    def predict(self, prepared: list[Any]) -> list[Answer | None]:
        """Answer what `prepare` returned, be it of many requests, in its order.

        A regressor answers `{"prediction": number, "pred_proba": the same}` (the second is the
        older name), a classifier `{"prediction": label, "pred_proba": {label: probability}}`. None
        stands where an answer would not be finite.
        """


def session(onnx: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load an ONNX file. Raises `errors.Corrupt`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what it fails at, it raises as well
    try:
        return onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no base but this
        raise errors.Corrupt(f"the stored model cannot be loaded: {error}") from error


def run_options() -> onnxruntime.RunOptions:
    """Return the options of one run; another thread may end that by their `terminate`."""
    return onnxruntime.RunOptions()


class Model:
    """A trained model that can answer; any number of threads may ask it."""

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        """Load an ONNX file that holds a manifest. Raises `errors.Corrupt`."""
        self._session = session(onnx, threads)
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.manifest = Manifest.model_validate_json(properties[METADATA_KEY])
        except (KeyError, ValueError) as error:
            raise errors.Corrupt(f"the stored model has no manifest: {error}") from error
        self.bytes = len(onnx)
        self._names = {feature.name for feature in self.manifest.features}
        self._numbers = [f for f in self.manifest.features if f.type != "text"]
        self._texts = [f for f in self.manifest.features if f.type == "text"]

    @property
    def model_id(self) -> str:
        """Return the model's id, which its file tells."""
        return self.manifest.model_id

    def prepare(self, inputs: Inputs) -> list[Row]:
        """Return the rows, checked. Raises `errors.Invalid`."""
        refuse_images(inputs, self.model_id)
        for row in inputs.rows:
            self.check(row)
        return inputs.rows

    def check(self, row: Row) -> None:
        """Raise `errors.Invalid` that names a feature missing, unknown or of a wrong type."""
        if row.keys() != self._names:
            raise misnamed(row, [f.name for f in self.manifest.features], self.model_id)
        for feature in self.manifest.features:
            if not _fits(row[feature.name], feature):
                field = f"input_data.{feature.name}"
                wanted = f"a {feature.type}{' or null' if feature.nullable else ''}"
                given = described(row[feature.name])
                raise errors.Invalid(f"{field}: expected {wanted}, not {given}", field=field)

    def predict(self, rows: list[Row]) -> list[Answer | None]:
        """Answer rows that `check` let pass, in one run, as `Servable` says."""
        inputs: Tensors = {}
        if self._numbers:
            names = [f.name for f in self._numbers]
            inputs["number"] = np.array([[row[n] for n in names] for row in rows], np.float64)
        if self._texts:
            names = [f.name for f in self._texts]
            inputs["text"] = np.array([[row[n] or "" for n in names] for row in rows], object)
        values = self.run(inputs)
        labels = self.manifest.labels
        if labels is None:
            return [
                {"prediction": value, "pred_proba": value} if isfinite(value) else None
                for value in values.tolist()
            ]
        keys = [str(label) for label in labels]
        return [
            {"prediction": labels[best], "pred_proba": dict(zip(keys, row, strict=True))}
            if all(map(isfinite, row))
            else None
            for best, row in zip(values.argmax(axis=1).tolist(), values.tolist(), strict=True)
        ]

    def run(self, inputs: Tensors) -> npt.NDArray[Any]:
        """Return predictions [rows], or probabilities [rows, labels] of a classifier."""
        outputs: list[npt.NDArray[Any]] = self._session.run(None, inputs)
        return outputs[0].reshape(-1) if self.manifest.labels is None else outputs[1]


def refuse_images(inputs: Inputs, model_id: str) -> None:
    """Raise `errors.Invalid` if a model that takes rows is asked about images."""
    if inputs.image_data is not None:
        raise errors.Invalid(
            f"image_data: model {model_id} takes rows, in input_data", field="image_data"
        )


def misnamed(row: Row, names: list[str], model_id: str) -> errors.Invalid:
    """Return the error of a row whose keys are not `names`."""
    missing = [name for name in names if name not in row]
    extra = sorted(row.keys() - set(names))
    field = f"input_data.{(missing or extra)[0]}"
    said = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(extra)}"
    return errors.Invalid(
        f"{field}: {said}; model {model_id} takes {', '.join(names)}", field=field
    )


def _fits(value: JsonValue, feature: Feature) -> bool:
    if value is None:
        return feature.nullable
    match feature.type:
        case "text":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            return abs(value) <= _LARGEST


def described(value: JsonValue) -> str:
    """Return a value in a few words, for an error."""
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"{json.dumps(value):.80}"


_LARGEST = float(np.finfo(np.float32).max)  # the trees of scikit-learn compare in float32


def parity(expected: npt.NDArray[np.float64], answered: npt.NDArray[Any]) -> float:
    """Return the largest difference, relative to the value or, if that is more, to their mean."""
    size = np.abs(expected)
    return float((np.abs(expected - answered) / np.maximum(size, size.mean() or 1.0)).max())
