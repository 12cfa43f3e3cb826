"""Answer by a fitted pipeline of scikit-learn, which a skops file holds without code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
import skops.io
from threadpoolctl import threadpool_limits

Tensors = dict[str, npt.NDArray[Any]]
Answers = tuple[npt.NDArray[Any], npt.NDArray[Any] | None]

WORKING_MB = 64  # of chunks of distances, as Warren has it: other chunks could round otherwise


class Pipeline:
    """A pipeline of the types that Warren writes; skops reads no others."""

    def __init__(self, path: Path, told: Mapping[str, Any]) -> None:
        """Read a skops file."""
        self._told = told
        self._pipeline = skops.io.load(path, trusted=told["trusted"])

    def answer(self, inputs: Tensors) -> Answers:
        """Answer rows on one core, as Warren does."""
        count = len(next(iter(inputs.values())))
        labels = self._told["labels"]
        predicted: npt.NDArray[Any] = np.full(count, np.nan if labels is None else -1)
        shares = np.full((count, len(labels)), np.nan) if self._told["probabilities"] else None
        one_core = joblib.parallel_config("sequential"), threadpool_limits(1)
        with one_core[0], one_core[1], sklearn.config_context(working_memory=WORKING_MB):
            self._fill(inputs, predicted, shares, 0, count)
        return predicted, shares

    def _fill(
        self,
        inputs: Tensors,
        predicted: npt.NDArray[Any],
        shares: npt.NDArray[Any] | None,
        start: int,
        end: int,
    ) -> None:
        """Answer rows together; if that fails, each half, so that only faulty rows fail."""
        try:
            found = self._answer({name: each[start:end] for name, each in inputs.items()})
        except ValueError:
            if end - start > 1:
                middle = (start + end) // 2
                self._fill(inputs, predicted, shares, start, middle)
                self._fill(inputs, predicted, shares, middle, end)
            return
        predicted[start:end] = found[0]
        if shares is not None:
            shares[start:end] = found[1]

    def _answer(self, inputs: Tensors) -> Answers:
        rows = _matrix(inputs)
        for _, step in self._pipeline.steps[:-1]:
            rows = step.transform(rows)
        estimator = self._pipeline.steps[-1][1]
        # The sign of the decision is what `predict` answers, -1 or 1.
        anomalies = self._told["task"] == "anomalies"
        found = estimator.decision_function(rows) if anomalies else estimator.predict(rows)
        if self._told["labels"] is None:
            return np.asarray(found, np.float64).reshape(-1), None
        shares = None
        if self._told["probabilities"]:
            shares = np.asarray(estimator.predict_proba(rows), np.float64)
        return np.asarray(found, np.int64), shares


def _matrix(inputs: Tensors) -> Any:
    """Return the rows as the pipeline was fitted to them: numbers left, texts right."""
    if "text" not in inputs:
        return inputs["number"]
    blocks = [pd.DataFrame(inputs[name]) for name in ("number", "text") if name in inputs]
    return pd.concat(blocks, axis=1, ignore_index=True)
