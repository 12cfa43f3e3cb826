"""Compute the metrics of a model, each a single number, from its answers to rows."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_absolute_percentage_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from app.inference.runtime import Answers


def compute_metrics(y: npt.NDArray[Any], answers: Answers, *, classifies: bool) -> dict[str, float]:
    """Return the metrics of a training, without those that the rows do not define.

    `y` [rows] is the target as `Answers` have it: numbers, or of a classifier places of labels.
    Without rows there are no metrics.
    """
    if not len(y):
        return {}
    if classifies:
        return _finite(classification_metrics(y, answers))
    return _finite(regression_metrics(y, answers.predicted))


def compute_scores(y: npt.NDArray[Any], answers: Answers, *, classifies: bool) -> dict[str, float]:
    """Return the metrics of a training, and those that only its evaluation shows."""
    found = compute_metrics(y, answers, classifies=classifies)
    if not found:
        return {}
    if classifies:
        found["balanced_accuracy"] = balanced_accuracy(y, answers.predicted)
        return found
    found["median_absolute_error"] = float(median_absolute_error(y, answers.predicted))
    if np.all(y != 0):  # no error is a share of 0
        found["mape"] = float(mean_absolute_percentage_error(y, answers.predicted))
    return _finite(found)


def regression_metrics(y: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> dict[str, float]:
    """Return `rmse`, `mae` and `r2` of predictions [rows] for the target `y` [rows]."""
    return {
        "rmse": float(root_mean_squared_error(y, predicted)),
        "mae": float(mean_absolute_error(y, predicted)),
        "r2": float(r2_score(y, predicted)),
    }


def classification_metrics(y: npt.NDArray[Any], answers: Answers) -> dict[str, float]:
    """Return `accuracy` and `f1` (macro average); of probabilities also `log_loss`.

    `y` [rows] are places of labels, as the answers are. A class beyond the probabilities, which
    only `y` has, counts with probability 0.
    """
    metrics = {
        "accuracy": float(accuracy_score(y, answers.predicted)),
        "f1": float(f1_score(y, answers.predicted, average="macro")),
    }
    if answers.probabilities is not None:
        full = full_probabilities(answers.probabilities, int(y.max()) + 1)
        metrics["log_loss"] = float(log_loss(y, full, labels=np.arange(full.shape[1])))
    return metrics


def balanced_accuracy(y: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> float:
    """Return the mean recall of the classes that `y` [rows] has."""
    with warnings.catch_warnings():
        # It warns of answers with other classes, which count as wrong.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return float(balanced_accuracy_score(y, predicted))


def full_probabilities(
    probabilities: npt.NDArray[np.float64], classes: int
) -> npt.NDArray[np.float64]:
    """Return probabilities [rows, classes], 0 of the classes that were not learnt."""
    missing = classes - probabilities.shape[1]
    return np.pad(probabilities, ((0, 0), (0, missing))) if missing > 0 else probabilities


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
