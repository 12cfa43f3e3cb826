"""Build estimators from the table in `protocol/estimators.py`, and show their parameters."""

import re
from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils._param_validation import InvalidParameterError

from app import errors
from app.protocol.estimators import EstimatorSpec, ResolvedEstimator
from app.protocol.wording import cut, describe_value, did_you_mean
from app.training.param_binding import check_bound_params
from app.training.param_rules import UNUSABLE, describe_rule


def build_estimator(resolved: ResolvedEstimator) -> BaseEstimator:
    """Build an estimator; scikit-learn's own validation checks its parameters.

    Those that name labels and columns still have to be bound, by `bind_params`. Raises
    `errors.Invalid` that names the parameter and says what is allowed.
    """
    name, params = resolved.name, resolved.params
    cls = estimator_class(resolved.spec)
    allowed = sorted(cls().get_params())
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
    return {**estimator_class(resolved.spec)().get_params(deep=False), **resolved.params}


def _refused(estimator: BaseEstimator, param: str, params: dict[str, Any]) -> errors.Invalid:
    rule, given = describe_rule(estimator, param), describe_value(params[param])
    return errors.Invalid(f"params.{param}", f"{rule}, not {given}")


def estimator_class(spec: EstimatorSpec) -> type[BaseEstimator]:
    """Import the scikit-learn class that a row of the table names."""
    module, _, name = spec.path.partition(":")
    cls: type[BaseEstimator] = getattr(import_module(module), name)
    return cls
