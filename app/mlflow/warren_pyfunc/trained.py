"""Answer by a model that Warren trained: an ONNX file, or a pipeline of scikit-learn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .dates import date_parts
from .values import read_column

Tensors = dict[str, npt.NDArray[Any]]
# Numbers, or the places of labels, [rows]; and probabilities [rows, labels], or None.
Answers = tuple[npt.NDArray[Any], npt.NDArray[Any] | None]


class TrainedModel:
    """A trained model; `told` is the content of `model.json`."""

    def __init__(self, folder: Path, told: Mapping[str, Any]) -> None:
        """Load the file of the model."""
        self._told = told
        self._run: Callable[[Tensors], Answers]
        if told["file"].endswith(".onnx"):
            from .onnx_file import trained_graph

            self._run = trained_graph(folder / told["file"], told)
        else:
            from .sklearn_file import Pipeline

            self._run = Pipeline(folder / told["file"], told).answer

    def answer(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Return the columns of the answer. Raises `ValueError` for a value of another type."""
        inputs, size = self._inputs(frame), self._told["rows"]
        return self._columns(
            [
                self._run({name: each[start : start + size] for name, each in inputs.items()})
                for start in range(0, len(frame), size)
            ]
        )

    def _inputs(self, frame: pd.DataFrame) -> Tensors:
        """Return the matrices `number` and `text`; one without columns is left out."""
        numbers: list[npt.NDArray[Any]] = []
        texts: list[npt.NDArray[Any]] = []
        parts: list[npt.NDArray[Any]] = []
        for feature in self._told["features"]:
            column = read_column(frame, feature)
            (texts if feature["type"] in ("text", "category") else numbers).append(column)
            if feature["type"] == "date" and self._told["date_parts"]:
                parts.append(date_parts(column, self._told["date_parts"]))
        inputs: Tensors = {}
        if numbers:
            inputs["number"] = np.column_stack([*numbers, *parts])
        if texts:
            inputs["text"] = np.column_stack(texts)
        return inputs

    def _columns(self, found: list[Answers]) -> dict[str, Any]:
        names, labels = self._told["columns"], self._told["labels"]
        predicted = np.concatenate([each[0] for each in found]) if found else np.empty(0)
        if labels is None:
            return {names[0]: np.where(np.isfinite(predicted), predicted, np.nan)}
        answered = predicted >= 0  # a row without an answer has the place -1
        shares = [each[1] for each in found if each[1] is not None]
        probabilities = np.concatenate(shares) if shares else np.empty((0, len(names) - 1))
        if len(names) > 1:
            answered &= np.isfinite(probabilities).all(axis=1)
            probabilities[~answered] = np.nan
        places = predicted.astype(int).tolist()
        said = [labels[n] if ok else None for n, ok in zip(places, answered, strict=True)]
        columns: dict[str, Any] = {names[0]: pd.Series(said, dtype=object).infer_objects()}
        return columns | {name: probabilities[:, n] for n, name in enumerate(names[1:])}
