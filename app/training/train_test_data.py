"""Make of a data set what an estimator takes: matrices and targets, to learn and to test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors
from app.inference.predictor import Tensors
from app.inference.tensor_types import LARGEST_FLOAT32
from app.models.manifest import Feature
from app.protocol.estimators import COMPARE_IN_FLOAT32
from app.protocol.label_keys import Label
from app.protocol.training_request import TrainingSpec
from app.protocol.types import Row
from app.training.features import check_float32, feature_matrix, typical_value
from app.training.split import Places, RowSplit
from app.training.training_data import TrainingData

PROBE_ROWS = 10_000  # training rows, at most, to compare runtimes with if no row tests the model


@dataclass(frozen=True)
class Samples:
    """All rows of a data set with a target, as an estimator takes them.

    The matrix `x` [rows, features] has the `numbers` left and the texts right. `sample` is a
    typical row.
    """

    data: TrainingData
    x: npt.NDArray[np.float64] | pd.DataFrame
    numbers: int
    sample: Row


@dataclass(frozen=True)
class TrainTestData:
    """The rows of a split, as an estimator takes them.

    The matrices [rows, features] have the `numbers` left and the texts right. The targets of a
    classifier are places in `labels`, the classes that the training rows have; those of classes
    that only test rows have, `unlearnt`, are beyond its end. `weights` are those of the training
    rows, None if all count the same. `dropped` counts the rows without a target.
    """

    features: list[Feature]
    numbers: int
    labels: list[Label] | None
    unlearnt: list[Label]
    x_train: npt.NDArray[np.float64] | pd.DataFrame
    x_test: npt.NDArray[np.float64] | pd.DataFrame
    y_train: npt.NDArray[Any]
    y_test: npt.NDArray[Any]
    weights: npt.NDArray[np.float64] | None
    dropped: int
    sample: Row

    @property
    def test_inputs(self) -> Tensors:
        """Return the test rows as a runtime takes them."""
        return _tensors(self.x_test, self.numbers)

    def train_inputs(self, places: Places) -> Tensors:
        """Return the training rows at these places as a runtime takes them."""
        return _tensors(_take(self.x_train, places), self.numbers)

    @property
    def probe_inputs(self) -> Tensors:
        """Return rows to compare runtimes with: those that test, or without any some others.

        These are training rows, at most `PROBE_ROWS`, at equal distances.
        """
        if len(self.y_test):
            return self.test_inputs
        last = len(self.y_train) - 1
        return self.train_inputs(np.unique(np.linspace(0, last, PROBE_ROWS).astype(np.intp)))


def make_samples(data: TrainingData, request: TrainingSpec) -> Samples:
    """Make the matrix of a data set.

    Raises `errors.BadData` for numbers that the estimator does not take.
    """
    if (estimator := request.resolved_estimator.name) in COMPARE_IN_FLOAT32:
        check_float32(data.frame, data.features, estimator)
        fill = request.resolved_preprocessing.fill_value
        if fill is not None and abs(fill) > LARGEST_FLOAT32:
            raise errors.BadData(
                "preprocessing.fill_value",
                f"{fill:.2g} is too large; {estimator} takes no number above {LARGEST_FLOAT32:.2g}",
            )
    x, numbers = feature_matrix(data.frame, data.features, request.resolved_preprocessing.dates)
    sample: Row = {f.name: typical_value(data.frame[f.name], f) for f in data.features}
    return Samples(data, x, numbers, sample)


def take_rows(samples: Samples, split: RowSplit) -> TrainTestData:
    """Return both parts of a split."""
    data = samples.data
    x_train, x_test = (_take(samples.x, rows) for rows in (split.train, split.test))
    return TrainTestData(
        features=data.features,
        numbers=samples.numbers,
        labels=split.labels,
        unlearnt=split.unlearnt,
        x_train=x_train,
        x_test=x_test,
        y_train=split.y_train,
        y_test=split.y_test,
        weights=data.of_rows.take(split.train).weights,
        dropped=data.dropped,
        sample=samples.sample,
    )


def _tensors(x: npt.NDArray[np.float64] | pd.DataFrame, numbers: int) -> Tensors:
    frame = pd.DataFrame(x)
    inputs: Tensors = {
        "number": np.ascontiguousarray(frame.iloc[:, :numbers], np.float64),
        "text": frame.iloc[:, numbers:].to_numpy(object),
    }
    return {name: array for name, array in inputs.items() if array.shape[1]}


def _take(x: Any, rows: Places) -> Any:
    """Return some rows of a matrix or of a data frame.

    The columns of a matrix lie one after another, as those of a data frame do, so that the sums of
    scikit-learn have the same order, and the same last digits.
    """
    return x.iloc[rows] if isinstance(x, pd.DataFrame) else np.take(x.T, rows, axis=1).T
