"""Compute the metrics of predictions, and the parity of scikit-learn and ONNX."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)


def regression_metrics(y: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> dict[str, float]:
    """Return `rmse`, `mae` and `r2` of predictions [rows] for the target `y` [rows]."""
    return {
        "rmse": float(root_mean_squared_error(y, predicted)),
        "mae": float(mean_absolute_error(y, predicted)),
        "r2": float(r2_score(y, predicted)),
    }


def classification_metrics(
    y: npt.NDArray[Any], probabilities: npt.NDArray[Any], classes: npt.NDArray[Any]
) -> dict[str, float]:
    """Return `accuracy`, `f1` (macro average) and `log_loss`.

    `probabilities` are [rows, classes]. A class that occurs only in `y` counts with probability 0.
    """
    predicted = classes[probabilities.argmax(axis=1)]
    every = np.union1d(classes, y)
    full = np.zeros((len(y), len(every)))
    full[:, np.searchsorted(every, classes)] = probabilities
    return {
        "accuracy": float(accuracy_score(y, predicted)),
        "f1": float(f1_score(y, predicted, average="macro")),
        "log_loss": float(log_loss(y, full, labels=every)),
    }


def measure_parity(expected: npt.NDArray[np.float64], answered: npt.NDArray[Any]) -> float:
    """Return the largest difference of two arrays of one shape, as a fraction.

    Each difference is relative to the expected value or, where that is larger, to the mean of all
    expected values.
    """
    size = np.abs(expected)
    return float((np.abs(expected - answered) / np.maximum(size, size.mean() or 1.0)).max())
