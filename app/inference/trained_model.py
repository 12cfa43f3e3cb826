"""Predict with a trained model: check rows, have its runtime answer them."""

from math import isfinite

import numpy as np

from app import errors
from app.inference.date_parts import add_date_parts
from app.inference.predictor import (
    Prediction,
    Tensors,
    answer_bytes,
    check_rows,
    fit_names,
    refuse_images,
    wrong_value,
)
from app.inference.runtime import NO_PLACE, Answers, Runtime
from app.inference.tensor_types import TENSOR_TYPES
from app.inference.value_types import CategoryType, DateType, ValueType, means_missing, read_value
from app.models.manifest import TrainedManifest
from app.protocol.column_types import ColumnKind
from app.protocol.estimators import COMPARE_IN_FLOAT32
from app.protocol.label_keys import label_keys
from app.protocol.oip.rows import InferPrediction
from app.protocol.prediction_fields import Extra
from app.protocol.requests import PredictionInputs
from app.protocol.types import Row

_TYPES: dict[ColumnKind, ValueType] = {
    "number": TENSOR_TYPES["tensor(double)"],
    "boolean": TENSOR_TYPES["tensor(bool)"],
    "text": TENSOR_TYPES["tensor(string)"],
    "category": CategoryType(),
    "date": DateType(),
}
# Of an answer, which is a message of 4 MB: the JSON of each has 8 bytes or more.
MAX_PROBABILITIES = 500_000
_FLOAT32 = TENSOR_TYPES["tensor(float)"]


class TrainedModel:
    """A loaded model that Warren trained; any number of threads may use it."""

    def __init__(self, manifest: TrainedManifest, runtime: Runtime) -> None:
        """Combine the description of a model and what answers for it."""
        self.manifest = manifest
        self.runtime = runtime
        self.bytes = runtime.bytes
        self.answered_by: str = manifest.runtime
        self.labels = manifest.labels
        self.answer_bytes = answer_bytes(len(manifest.labels or []))
        answered = len(manifest.labels or ()) if manifest.probabilities else 0
        self._most_rows = MAX_PROBABILITIES // max(1, answered)
        self._label_keys = label_keys(self.manifest.labels or [])
        self._order = [feature.name for feature in self.manifest.features]
        self._names = set(self._order)
        self._numbers = [f for f in self.manifest.features if f.is_number]
        self._date_parts = manifest.date_parts
        self._dates = [f.name for f in manifest.features if f.type == "date"]
        self._texts = [f for f in self.manifest.features if not f.is_number]
        in_float32 = manifest.format < 2 or manifest.estimator in COMPARE_IN_FLOAT32
        types = {**_TYPES, "number": _FLOAT32} if in_float32 else _TYPES
        # Fields of pydantic's models are slow to get.
        self._checks = [(f, f.name, types[f.type], bool(f.missing)) for f in manifest.features]
        self._read = [f for f in manifest.features if f.missing or f.type in ("category", "date")]

    @property
    def model_id(self) -> str:
        """Return the model's id."""
        return self.manifest.model_id

    @property
    def alive(self) -> bool:
        """Tell whether the runtime can answer."""
        return self.runtime.alive

    @property
    def isolated(self) -> bool:
        """Tell whether the runtime is a process of its own."""
        return self.runtime.isolated

    def prepare(self, inputs: PredictionInputs) -> list[Row]:
        """Check the rows and return them.

        Raises `errors.Invalid`, and `TooLarge` for rows whose answer could not be sent.
        """
        refuse_images(inputs, self.model_id)
        if inputs.many and (count := len(inputs.rows)) > self._most_rows:
            raise errors.TooLarge(
                "input_data",
                f"{count:,} rows are too many for an answer with a probability for each of "
                f"{len(self._label_keys):,} labels; send at most {self._most_rows:,} at a time",
                limit=self._most_rows,
            )
        of_tensors = self._dates and isinstance(inputs, InferPrediction)
        check = self._check_tensors if of_tensors else self.check
        return check_rows(inputs, check, self._order, self.model_id)

    def check(self, row: Row, extra: Extra | None = None) -> Row:
        """Return a row with the names of the features.

        Raises `errors.Invalid` for a feature that is missing, unknown or of a wrong type. With
        `extra` "ignore", a row may hold more than the features.
        """
        if row.keys() != self._names:
            row = fit_names(row, self._order, self.model_id, extra)
        for feature, name, values, marked in self._checks:
            value = row[name]
            if value is None or (marked and means_missing(feature, value)):
                if feature.nullable:
                    continue
            elif values.fits(value):
                continue
            raise wrong_value(name, value, values.describe(value), nullable=feature.nullable)
        return row

    def _check_tensors(self, row: Row, extra: Extra | None) -> Row:
        """Check a row of tensors, in which an empty text is a missing date. Raises as `check`."""
        missing = dict.fromkeys(name for name in self._dates if row.get(name) == "")
        return self.check({**row, **missing} if missing else row, extra)

    def answer(self, inputs: Tensors) -> Answers:
        """Answer rows: `number` and `text`, each in the order of the features; see `Runtime`.

        Dates are days from 1970-01-01 UTC, and booleans 1 and 0, among the numbers. The parts of
        dates that the model learnt from are added here.
        """
        if self._date_parts and "number" in inputs:
            numbers = add_date_parts(inputs["number"], self.manifest.features, self._date_parts)
            inputs = {**inputs, "number": numbers}
        return self.runtime.run(inputs)

    def predict(self, rows: list[Row]) -> list[Prediction | None]:
        """Predict for rows that `prepare` returned, in one run; see `Predictor`."""
        if self._read:
            rows = [row | {f.name: read_value(f, row[f.name]) for f in self._read} for row in rows]
        inputs: Tensors = {}
        if self._numbers:
            names = [f.name for f in self._numbers]
            inputs["number"] = np.array([[row[n] for n in names] for row in rows], np.float64)
        if self._texts:
            names = [f.name for f in self._texts]
            inputs["text"] = np.array([[row[n] or "" for n in names] for row in rows], object)
        predicted, probabilities = self.answer(inputs)
        labels = self.manifest.labels
        if labels is None:
            return [
                {"prediction": value, "pred_proba": value} if isfinite(value) else None
                for value in predicted.tolist()
            ]
        if probabilities is None:
            return [
                {"prediction": labels[i], "pred_proba": None} if i != NO_PLACE else None
                for i in predicted.tolist()
            ]
        return [
            {
                "prediction": labels[best],
                "pred_proba": dict(zip(self._label_keys, row, strict=True)),
            }
            if all(map(isfinite, row))
            else None
            for best, row in zip(predicted.tolist(), probabilities.tolist(), strict=True)
        ]
