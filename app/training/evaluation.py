"""Compute the metrics of answers to the test rows."""

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

from app.inference.runtime import Answers


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
        learnt = answers.probabilities.shape[1]
        full = np.zeros((len(y), max(learnt, int(y.max()) + 1)))
        full[:, :learnt] = answers.probabilities
        metrics["log_loss"] = float(log_loss(y, full, labels=np.arange(full.shape[1])))
    return metrics
