"""Choose an estimator of the table, and the parameters that a request leaves out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.protocol.estimators import (
    CLASS_NAMES,
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    SEED,
    CalibrationMethod,
    EstimatorSpec,
)
from app.protocol.wording import did_you_mean, quoted

_UNNAMED = {"max_depth": 3}  # of the default estimator in a request without params
_OLDER_FOREST = {"n_estimators": 100, "max_depth": 3}
# Of versions without `defaults` in their messages.
_OLDER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "random_forest_regressor": _OLDER_FOREST,
    "random_forest_classifier": _OLDER_FOREST,
    "logistic_regression": {"max_iter": 1000},
}


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
            f"no such estimator as {quoted(name)}{meant or ';'} choose one of "
            f"{', '.join(ESTIMATORS)}, or the name of a class of scikit-learn: "
            f"{', '.join(CLASS_NAMES)}"
        )
    return name
