"""Make of a data set what an estimator takes: matrices and targets, to learn and to test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.inference.predictor import Tensors
from app.models.manifest import Feature, FitWarning
from app.protocol.estimators import COMPARE_IN_FLOAT32
from app.protocol.label_keys import Label
from app.protocol.training_request import TrainingSpec
from app.protocol.types import Row
from app.training.data_warnings import limit_warnings
from app.training.features import check_float32, feature_matrix, typical_value
from app.training.split import split_rows
from app.training.training_data import TrainingData


@dataclass(frozen=True)
class TrainTestData:
    """The rows of a data set, as an estimator takes them.

    The matrices [rows, features] have the `numbers` left and the texts right. The targets of a
    classifier are places in `labels`, the classes that the training rows have; those of classes
    that only test rows have, `unlearnt`, are beyond its end. `dropped` counts the rows without a
    target.
    """

    features: list[Feature]
    numbers: int
    labels: list[Label] | None
    unlearnt: list[Label]
    x_train: npt.NDArray[np.float64] | pd.DataFrame
    x_test: npt.NDArray[np.float64] | pd.DataFrame
    y_train: npt.NDArray[Any]
    y_test: npt.NDArray[Any]
    dropped: int
    sample: Row
    warnings: list[FitWarning]

    @property
    def test_inputs(self) -> Tensors:
        """Return the test rows as a runtime takes them."""
        x = pd.DataFrame(self.x_test)
        inputs: Tensors = {
            "number": np.ascontiguousarray(x.iloc[:, : self.numbers], np.float64),
            "text": x.iloc[:, self.numbers :].to_numpy(object),
        }
        return {name: array for name, array in inputs.items() if array.shape[1]}


def split_data(data: TrainingData, request: TrainingSpec) -> TrainTestData:
    """Make matrices of a data set, and split its rows.

    Raises `errors.BadData` for numbers that the estimator does not take, and `ValueError` for rows
    that cannot be split.
    """
    if (estimator := request.resolved_estimator.name) in COMPARE_IN_FLOAT32:
        check_float32(data.frame, data.features, estimator)
    x, numbers = feature_matrix(data.frame, data.features)
    split = split_rows(data.target, request.test_size)
    x_train, x_test = (_take(x, rows) for rows in (split.train, split.test))
    return TrainTestData(
        features=data.features,
        numbers=numbers,
        labels=split.labels,
        unlearnt=split.unlearnt,
        x_train=x_train,
        x_test=x_test,
        y_train=split.y_train,
        y_test=split.y_test,
        dropped=data.dropped,
        sample={f.name: typical_value(data.frame[f.name], f) for f in data.features},
        warnings=limit_warnings([*split.warnings, *data.warnings]),
    )


def _take(x: Any, rows: npt.NDArray[np.intp]) -> Any:
    """Return some rows of a matrix or of a data frame.

    The columns of a matrix lie one after another, as those of a data frame do, so that the sums of
    scikit-learn have the same order, and the same last digits.
    """
    return x.iloc[rows] if isinstance(x, pd.DataFrame) else np.take(x.T, rows, axis=1).T
