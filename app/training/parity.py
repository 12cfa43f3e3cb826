"""Compare the answers of a runtime with those of scikit-learn."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from app.inference.runtime import Answers

BOUND = 1e-6  # the parity above which another runtime does not reproduce scikit-learn


def target_scale(y: npt.NDArray[Any]) -> float:
    """Return the unit of a regressor's parity: the standard deviation of the target `y` [rows].

    Of a constant target it is the size of its value, and 1 if that is 0.
    """
    largest = float(np.abs(y).max())
    if y.min() == y.max():
        return largest or 1.0
    _, exponent = np.frexp(largest)  # of two, because the squares of large numbers overflow
    return float(np.ldexp(np.ldexp(y, -exponent).std(), exponent)) or largest


def measure_parity(expected: Answers, answered: Answers, scale: float) -> float:
    """Return the largest difference of two answers to the same rows.

    Of regressors it is a share of `scale`, of classifiers the difference of probabilities. It is
    infinite if a label or a shape differs, and where any number is not finite.
    """
    if expected.predicted.dtype.kind == "f":  # of a regressor
        return _largest_difference(expected.predicted, answered.predicted) / scale
    if not np.array_equal(expected.predicted, answered.predicted):
        return math.inf
    if expected.probabilities is None or answered.probabilities is None:
        return 0.0 if expected.probabilities is answered.probabilities else math.inf
    return _largest_difference(expected.probabilities, answered.probabilities)


def _largest_difference(expected: npt.NDArray[Any], answered: npt.NDArray[Any]) -> float:
    if expected.shape != answered.shape:
        return math.inf
    if not (np.isfinite(expected).all() and np.isfinite(answered).all()):
        return math.inf
    return float(np.abs(expected - answered).max(initial=0.0))
