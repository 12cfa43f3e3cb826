"""Build estimators from the table in `protocol/estimators.py`, and show their parameters."""

import math
import re
from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)

from app import errors
from app.protocol.estimator_choice import ResolvedEstimator
from app.protocol.estimators import CLASS_NAMES, ESTIMATORS, EstimatorSpec
from app.protocol.wording import cut, describe_value, did_you_mean
from app.training.booster_params import param_constraints
from app.training.lightgbm_log import listen_to_lightgbm
from app.training.param_binding import check_bound_params
from app.training.param_rules import UNUSABLE, describe_rule


def build_estimator(resolved: ResolvedEstimator) -> BaseEstimator:
    """Build an estimator; scikit-learn's own validation checks its parameters.

    Those that name labels and columns still have to be bound, by `bind_params`. Raises
    `errors.Invalid` that names the parameter and says what is allowed.
    """
    name, params = resolved.name, resolved.params
    cls = estimator_class(resolved.spec)
    plain = cls()
    offered = param_constraints(plain) if resolved.spec.package else plain.get_params()
    allowed = sorted(offered)
    if unknown := sorted(set(params) - set(allowed)):
        raise errors.Invalid(
            f"params.{cut(unknown[0])}",
            f"{name} has no such parameter{did_you_mean(unknown[0], allowed) or ';'} "
            f"it has {', '.join(allowed)}",
            allowed=allowed,
        )
    check_bound_params(params)
    estimator = cls(**params)  # some values are read here, such as those that are deprecated
    if isinstance(params.get("class_weight"), list):  # which scikit-learn takes for many targets
        raise _refused(estimator, "class_weight", params)
    if unusable := [each for each, value in params.items() if value in tuple(UNUSABLE)]:
        raise _refused(estimator, unusable[0], params)
    try:
        if resolved.spec.package:
            constraints, given = param_constraints(estimator), estimator.get_params(deep=False)
            shown = {each: value for each, value in given.items() if each in constraints}
            validate_parameter_constraints(constraints, shown, cls.__name__)
        else:
            estimator._validate_params()
    except InvalidParameterError as error:
        found = re.match(r"The '(\w+)' parameter", str(error))
        wrong = found[1] if found else ""
        if wrong not in params:
            raise
        raise _refused(estimator, wrong, params) from None
    if resolved.calibrate is None:
        return estimator
    return CalibratedClassifierCV(estimator, method=resolved.calibrate, ensemble=False)


def effective_params(resolved: ResolvedEstimator) -> dict[str, Any]:
    """Return all parameters that a fit has, as JSON values: those asked for, and the defaults.

    Labels and columns have their names. A calibrated estimator's are its own.
    """
    params = {**estimator_class(resolved.spec)().get_params(deep=False), **resolved.params}
    return {name: _as_json(value) for name, value in params.items()}


def _as_json(value: Any) -> Any:
    """Return a list for a tuple, and None for NaN, which XGBoost has for missing values."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return list(value) if isinstance(value, tuple) else value


def _refused(estimator: BaseEstimator, param: str, params: dict[str, Any]) -> errors.Invalid:
    rule, given = describe_rule(estimator, param), describe_value(params[param])
    return errors.Invalid(f"params.{param}", f"{rule}, not {given}")


def spec_of(estimator: object) -> EstimatorSpec:
    """Return the row of the table whose class `estimator` has. Raises `KeyError` for another."""
    return ESTIMATORS[CLASS_NAMES[type(estimator).__name__]]


def estimator_class(spec: EstimatorSpec) -> type[BaseEstimator]:
    """Import the class that a row of the table names.

    Raises `errors.Invalid` if its package is not installed.
    """
    module, _, name = spec.path.partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError:
        if spec.package is None:
            raise
        raise errors.Invalid(
            "estimator",
            f"{CLASS_NAMES[name]} needs the package {spec.package}, which is not installed where "
            "models are fitted: have its operator install the extra boosting, or choose "
            "hist_gradient_boosting",
        ) from None
    if module == "lightgbm":
        listen_to_lightgbm()
    cls: type[BaseEstimator] = getattr(found, name)
    return cls
