"""The table of estimators: one row for each name that a training may ask for.

This module does not import scikit-learn, because the producer validates names with it. `training/`
imports the classes that the rows name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from app.protocol.wording import did_you_mean

Task = Literal["regression", "classification"]
CalibrationMethod = Literal["sigmoid", "isotonic"]


@dataclass(frozen=True)
class EstimatorSpec:
    """Name an estimator of scikit-learn and its task.

    `path` is `module:Class`. If it is `seeded`, its `random_state` is `SEED` unless a request says
    otherwise; all other parameters have scikit-learn's defaults.
    """

    path: str
    task: Task
    seeded: bool = False

    @property
    def class_name(self) -> str:
        """The name of scikit-learn's class."""
        return self.path.partition(":")[2]


class ResolvedEstimator(NamedTuple):
    """The estimator that a training fits.

    `params` are the parameters that differ from scikit-learn's defaults, or may. `calibrate` is the
    method that gives a classifier its probabilities, None for those of its own.
    """

    name: str
    params: dict[str, Any]
    calibrate: CalibrationMethod | None = None

    @property
    def spec(self) -> EstimatorSpec:
        """Return the row of the table."""
        return ESTIMATORS[self.name]


_REGRESSION: Task = "regression"
_CLASSIFICATION: Task = "classification"

SEED = 42
# They take float64, but no number beyond the range of float32.
COMPARE_IN_FLOAT32 = frozenset({"random_forest_regressor", "random_forest_classifier"})
DEFAULT_ESTIMATOR = "random_forest_regressor"
_UNNAMED = {"max_depth": 3}  # of the default estimator in a request without params

ESTIMATORS: Mapping[str, EstimatorSpec] = {
    "random_forest_regressor": EstimatorSpec(
        "sklearn.ensemble:RandomForestRegressor", _REGRESSION, seeded=True
    ),
    "random_forest_classifier": EstimatorSpec(
        "sklearn.ensemble:RandomForestClassifier", _CLASSIFICATION, seeded=True
    ),
    "hist_gradient_boosting_regressor": EstimatorSpec(
        "sklearn.ensemble:HistGradientBoostingRegressor", _REGRESSION, seeded=True
    ),
    "hist_gradient_boosting_classifier": EstimatorSpec(
        "sklearn.ensemble:HistGradientBoostingClassifier", _CLASSIFICATION, seeded=True
    ),
    "linear_regression": EstimatorSpec("sklearn.linear_model:LinearRegression", _REGRESSION),
    "ridge": EstimatorSpec("sklearn.linear_model:Ridge", _REGRESSION, seeded=True),
    "logistic_regression": EstimatorSpec(
        "sklearn.linear_model:LogisticRegression", _CLASSIFICATION, seeded=True
    ),
    "svm_regressor": EstimatorSpec("sklearn.svm:SVR", _REGRESSION),
    "svm_classifier": EstimatorSpec("sklearn.svm:SVC", _CLASSIFICATION, seeded=True),
    "knn_regressor": EstimatorSpec("sklearn.neighbors:KNeighborsRegressor", _REGRESSION),
    "knn_classifier": EstimatorSpec("sklearn.neighbors:KNeighborsClassifier", _CLASSIFICATION),
}
CLASS_NAMES = {spec.class_name: name for name, spec in ESTIMATORS.items()}
_OLDER_FOREST = {"n_estimators": 100, "max_depth": 3}
# Of versions without `defaults` in their messages.
_OLDER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "random_forest_regressor": _OLDER_FOREST,
    "random_forest_classifier": _OLDER_FOREST,
    "logistic_regression": {"max_iter": 1000},
}


def resolve_estimator(
    name: str | None, params: dict[str, Any] | None, calibrate: CalibrationMethod | None = None
) -> ResolvedEstimator:
    """Return the estimator that a request asks for; each argument is None if it names none.

    Without a name it is a forest for regression, and if no params are named either, one of depth 3.
    """
    unnamed = _UNNAMED if name is None and not params else {}
    chosen = name or DEFAULT_ESTIMATOR
    return ResolvedEstimator(chosen, {**_seed(chosen), **unnamed, **(params or {})}, calibrate)


def resolve_older_estimator(name: str | None, params: dict[str, Any] | None) -> ResolvedEstimator:
    """Return the estimator that a request meant before scikit-learn's defaults were the rule."""
    chosen = name or DEFAULT_ESTIMATOR
    defaults = {**_OLDER_DEFAULTS.get(chosen, {}), **_seed(chosen)}
    calibrate: CalibrationMethod | None = "sigmoid" if chosen == "svm_classifier" else None
    return ResolvedEstimator(chosen, {**defaults, **(params or {})}, calibrate)


def _seed(name: str) -> dict[str, Any]:
    return {"random_state": SEED} if ESTIMATORS[name].seeded else {}


def canonical_name(name: str) -> str:
    """Return the name of the table for a name or a class name. Raises `ValueError`."""
    name = CLASS_NAMES.get(name, name)
    if name not in ESTIMATORS:
        meant = did_you_mean(name, [*ESTIMATORS, *CLASS_NAMES])
        raise ValueError(
            f"no such estimator{meant or ';'} choose one of {', '.join(ESTIMATORS)}, or the name "
            f"of a class of scikit-learn: {', '.join(CLASS_NAMES)}"
        )
    return name
