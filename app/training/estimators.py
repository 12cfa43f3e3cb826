"""The estimators by name: what they are built from, and the check of their parameters."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR
from sklearn.utils._param_validation import InvalidParameterError

from app import errors


@dataclass(frozen=True)
class EstimatorSpec:
    """How to build an estimator, and through which number types ONNX must lead its input.

    scikit-learn's trees compare float32 inputs with float64 thresholds; onnxruntime has support
    vector machines in float32 only.
    """

    cls: type[BaseEstimator]
    defaults: dict[str, Any]
    casts: tuple[type[np.floating[Any]], ...] = ()


_TREES = (np.float32, np.float64)
_SEED = {"random_state": 42}
_FOREST = {"n_estimators": 100, "max_depth": 3, **_SEED}

ESTIMATORS = {
    "random_forest_regressor": EstimatorSpec(RandomForestRegressor, _FOREST, _TREES),
    "random_forest_classifier": EstimatorSpec(RandomForestClassifier, _FOREST, _TREES),
    "hist_gradient_boosting_regressor": EstimatorSpec(HistGradientBoostingRegressor, _SEED, _TREES),
    "hist_gradient_boosting_classifier": EstimatorSpec(
        HistGradientBoostingClassifier, _SEED, _TREES
    ),
    "linear_regression": EstimatorSpec(LinearRegression, {}),
    "ridge": EstimatorSpec(Ridge, _SEED),
    "logistic_regression": EstimatorSpec(LogisticRegression, {"max_iter": 1000, **_SEED}),
    "svm_regressor": EstimatorSpec(SVR, {}, (np.float32,)),
    "svm_classifier": EstimatorSpec(SVC, _SEED, (np.float32,)),
    "knn_regressor": EstimatorSpec(KNeighborsRegressor, {}),
    "knn_classifier": EstimatorSpec(KNeighborsClassifier, {}),
}


def build_estimator(name: str, params: dict[str, Any]) -> BaseEstimator:
    """Return the estimator, its parameters checked by scikit-learn's own validation.

    Raises `errors.Invalid` that names the parameter and says what is allowed.
    """
    spec = ESTIMATORS[name]
    estimator = spec.cls()
    allowed = sorted(estimator.get_params())
    if unknown := sorted(set(params) - set(allowed)):
        raise errors.Invalid(
            f"params.{unknown[0]}",
            f"{name} has no such parameter; it has {', '.join(allowed)}",
            allowed=allowed,
        )
    try:
        estimator.set_params(**{**spec.defaults, **params})
        estimator._validate_params()
    except InvalidParameterError as error:
        found = re.match(r"The '(\w+)' parameter", str(error))
        field = f"params.{found[1]}" if found else "params"
        raise errors.Invalid(field, f"{error}") from None
    if isinstance(estimator, SVC):
        # A support vector machine has no probabilities of its own: Platt's, by cross-validation.
        return CalibratedClassifierCV(estimator, ensemble=False)
    return estimator
