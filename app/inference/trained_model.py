"""Predict with a trained model: check rows, run its ONNX graph, read the outputs."""

import logging
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from app import errors
from app.inference.onnx_session import load_session
from app.inference.predictor import (
    Prediction,
    Tensors,
    check_rows,
    fit_names,
    refuse_images,
    wrong_value,
)
from app.inference.tensor_types import TENSOR_TYPES, TensorType
from app.models.manifest import METADATA_KEY, FeatureKind, TrainedManifest
from app.protocol.label_keys import label_keys
from app.protocol.requests import Extra, PredictionInputs
from app.protocol.types import Row

log = logging.getLogger(__name__)

_TYPES: dict[FeatureKind, TensorType] = {
    "number": TENSOR_TYPES["tensor(float)"],  # because scikit-learn's trees compare in float32
    "boolean": TENSOR_TYPES["tensor(bool)"],
    "text": TENSOR_TYPES["tensor(string)"],
}


class TrainedModel:
    """A loaded model that Warren trained; any number of threads may use it."""

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        """Load an ONNX file that holds a manifest. Raises `errors.Corrupt`."""
        self._session = load_session(onnx, threads)
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.manifest = TrainedManifest.model_validate_json(properties[METADATA_KEY])
        except (KeyError, ValueError) as error:
            log.error("a stored model's manifest cannot be read: %s", error)
            raise errors.Corrupt("the stored model has no manifest; train it again") from error
        self.bytes = len(onnx)
        self._label_keys = label_keys(self.manifest.labels or [])
        self._names = {feature.name for feature in self.manifest.features}
        self._numbers = [f for f in self.manifest.features if f.type != "text"]
        self._texts = [f for f in self.manifest.features if f.type == "text"]

    @property
    def model_id(self) -> str:
        """Return the model's id, from the manifest in its file."""
        return self.manifest.model_id

    def prepare(self, inputs: PredictionInputs) -> list[Row]:
        """Check the rows and return them. Raises `errors.Invalid`."""
        refuse_images(inputs, self.model_id)
        return check_rows(inputs, self.check)

    def check(self, row: Row, extra: Extra | None = None) -> Row:
        """Return a row with the names of the features.

        Raises `errors.Invalid` for a feature that is missing, unknown or of a wrong type. With
        `extra` "ignore", a row may hold more than the features.
        """
        if row.keys() != self._names:
            names = [feature.name for feature in self.manifest.features]
            row = fit_names(row, names, self.model_id, extra)
        for feature in self.manifest.features:
            value = row[feature.name]
            if (value is None and feature.nullable) or _TYPES[feature.type].fits(value):
                continue
            fitting = _TYPES[feature.type].describe(value)
            raise wrong_value(feature.name, value, fitting, nullable=feature.nullable)
        return row

    def predict(self, rows: list[Row]) -> list[Prediction | None]:
        """Predict for rows that `prepare` returned, in one run; see `Predictor`."""
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
        return [
            {
                "prediction": labels[best],
                "pred_proba": dict(zip(self._label_keys, row, strict=True)),
            }
            if all(map(isfinite, row))
            else None
            for best, row in zip(values.argmax(axis=1).tolist(), values.tolist(), strict=True)
        ]

    def run(self, inputs: Tensors) -> npt.NDArray[Any]:
        """Run the graph: predictions [rows], or probabilities [rows, labels] of a classifier.

        `inputs` are `number` and `text`, both [rows, columns].
        """
        outputs: list[npt.NDArray[Any]] = self._session.run(None, inputs)
        return outputs[0].reshape(-1) if self.manifest.labels is None else outputs[1]
