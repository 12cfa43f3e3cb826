"""The table of estimators: one row for each name that a training may ask for.

This module does not import scikit-learn, because the producer validates names with it. `training/`
imports the classes that the rows name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema

from app.protocol.wording import did_you_mean

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class EstimatorSpec:
    """Describe how to build an estimator and how to export it to ONNX.

    `path` is `module:Class`. `defaults` are parameters that a request may override. The ONNX graph
    casts the inputs of the estimator to each type of `casts` in turn, by numpy's names, because
    scikit-learn's trees compare float32 inputs with float64 thresholds, and onnxruntime computes
    support vector machines in float32 only. `onnx_options` go to skl2onnx's converter. A
    `calibrated` classifier has no probabilities of its own, so cross-validation adds Platt's.
    A fit fails if its parity, a relative difference, exceeds `max_parity`, unless that is None.
    """

    path: str
    task: Task
    defaults: Mapping[str, Any] = field(default_factory=dict)
    casts: tuple[str, ...] = ()
    onnx_options: Mapping[str, Any] = field(default_factory=dict)
    calibrated: bool = False
    max_parity: float | None = 1e-2


_REGRESSION: Task = "regression"
_CLASSIFICATION: Task = "classification"
_TREES = ("float32", "float64")
_SEED = {"random_state": 42}
_FOREST = {"n_estimators": 100, "max_depth": 3, **_SEED}
_CDIST = {"optim": "cdist"}  # 50 times faster than the loop in plain ONNX operators

ESTIMATORS: Mapping[str, EstimatorSpec] = {
    "random_forest_regressor": EstimatorSpec(
        "sklearn.ensemble:RandomForestRegressor", _REGRESSION, _FOREST, _TREES
    ),
    "random_forest_classifier": EstimatorSpec(
        "sklearn.ensemble:RandomForestClassifier", _CLASSIFICATION, _FOREST, _TREES
    ),
    "hist_gradient_boosting_regressor": EstimatorSpec(
        "sklearn.ensemble:HistGradientBoostingRegressor", _REGRESSION, _SEED, _TREES
    ),
    "hist_gradient_boosting_classifier": EstimatorSpec(
        "sklearn.ensemble:HistGradientBoostingClassifier", _CLASSIFICATION, _SEED, _TREES
    ),
    "linear_regression": EstimatorSpec("sklearn.linear_model:LinearRegression", _REGRESSION),
    "ridge": EstimatorSpec("sklearn.linear_model:Ridge", _REGRESSION, _SEED),
    "logistic_regression": EstimatorSpec(
        "sklearn.linear_model:LogisticRegression", _CLASSIFICATION, {"max_iter": 1000, **_SEED}
    ),
    "svm_regressor": EstimatorSpec("sklearn.svm:SVR", _REGRESSION, casts=("float32",)),
    "svm_classifier": EstimatorSpec(
        "sklearn.svm:SVC", _CLASSIFICATION, _SEED, ("float32",), calibrated=True
    ),
    # Where distances tie, ONNX may choose other neighbours, so the parity has no bound.
    "knn_regressor": EstimatorSpec(
        "sklearn.neighbors:KNeighborsRegressor",
        _REGRESSION,
        onnx_options=_CDIST,
        max_parity=None,
    ),
    "knn_classifier": EstimatorSpec(
        "sklearn.neighbors:KNeighborsClassifier",
        _CLASSIFICATION,
        onnx_options=_CDIST,
        max_parity=None,
    ),
}


def _known(name: str) -> str:
    if name not in ESTIMATORS:
        meant = did_you_mean(name, ESTIMATORS)
        raise ValueError(f"no such estimator{meant or ';'} choose one of {', '.join(ESTIMATORS)}")
    return name


EstimatorName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": list(ESTIMATORS)}),
]
