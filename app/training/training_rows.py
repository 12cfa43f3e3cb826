"""Turn a data frame into what an estimator takes: matrices and targets, to learn and to test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import train_test_split

from app import errors
from app.inference.predictor import Tensors
from app.models.manifest import Feature, FitWarning
from app.protocol.estimators import Task
from app.protocol.label_keys import Label
from app.protocol.requests import TrainingSpec
from app.protocol.types import Row
from app.training.features import describe_feature, feature_matrix, typical_value
from app.training.target import encode_classes, numeric_target


@dataclass(frozen=True)
class TrainingRows:
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


def prepare_rows(frame: pd.DataFrame, request: TrainingSpec, task: Task) -> TrainingRows:
    """Read features and target of a frame, and split its rows. Rows without a target are left out.

    Raises `errors.BadData`, and `ValueError` for rows that cannot be split.
    """
    rows = frame.dropna(subset=[request.target])
    if rows.empty:
        raise errors.BadData("target", f"column {request.target} is empty")
    features = [describe_feature(frame[name]) for name in request.features]
    labels: list[Any] | None = None
    if task == "regression":
        y = numeric_target(rows[request.target])
    else:
        labels, y = encode_classes(rows[request.target])
    x, numbers = feature_matrix(rows, features)
    split = {"test_size": request.test_size, "random_state": 42}
    x_train, x_test, y_train, y_test = train_test_split(x, y, **split)
    unlearnt: list[Label] = []
    if labels is not None:
        labels, unlearnt, y_train, y_test = learnt_classes(labels, y_train, y_test)
    return TrainingRows(
        features=features,
        numbers=numbers,
        labels=labels,
        unlearnt=unlearnt,
        x_train=x_train,
        x_test=x_test,
        y_train=y_train,
        y_test=y_test,
        dropped=len(frame) - len(rows),
        sample={f.name: typical_value(rows[f.name], f) for f in features},
        warnings=[],
    )


def learnt_classes(
    labels: list[Label], y_train: npt.NDArray[Any], y_test: npt.NDArray[Any]
) -> tuple[list[Label], list[Label], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the labels of the training rows, those of only test rows, and both targets as places.

    The places are those in the first list, then in the second one.
    """
    learnt = np.unique(y_train)
    if len(learnt) < 2:
        raise ValueError("only one class is left in the training rows")
    unlearnt = np.setdiff1d(np.arange(len(labels)), learnt)
    places = np.argsort(np.concatenate([learnt, unlearnt]))
    named = [[labels[code] for code in codes] for codes in (learnt, unlearnt)]
    return *named, places[y_train], places[y_test]
