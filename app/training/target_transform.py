"""Fit a regressor to a function of the target, and undo the function in its answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator

from app import errors
from app.protocol.training_options import TargetTransform

Fit = Callable[[BaseEstimator, Any, npt.NDArray[Any]], None]  # an estimator, a matrix, the target


def fit_target(
    estimator: BaseEstimator,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[Any],
    transform: TargetTransform,
    fit: Fit,
) -> BaseEstimator:
    """Fit the estimator by `fit` to `x` [rows, columns] and `y` [rows]; return the fitted one.

    With `log1p` the result is scikit-learn's `TransformedTargetRegressor` around the estimator,
    which learnt log(1 + y). Raises `errors.BadData` if a target has no logarithm.
    """
    if transform == "none":
        fit(estimator, x, y)
        return estimator
    if (lowest := float(y.min())) <= -1:
        raise errors.BadData(
            "target_transform", f"log1p takes numbers above -1, and the target has {lowest:g}"
        )
    fit(estimator, x, np.log1p(y))
    whole = TransformedTargetRegressor(
        FrozenEstimator(estimator), func=np.log1p, inverse_func=np.expm1
    )
    return whole.fit(x, y)  # does not fit the frozen estimator again


def learnt_estimator(fitted: BaseEstimator) -> Any:
    """Return the estimator inside what `fit_target` returned."""
    if isinstance(fitted, TransformedTargetRegressor):
        return fitted.regressor_.estimator
    return fitted
