"""Bind the parameters that name labels or columns: scikit-learn gets their places.

A fit sees neither labels nor names of columns: the target is codes, the features a matrix.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import JsonValue
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV

from app import errors
from app.protocol.label_keys import Label, label_keys
from app.protocol.wording import cut, describe_value, did_you_mean, listed, quoted

CLASS_WEIGHT = "class_weight"
MONOTONIC = "monotonic_cst"
CATEGORICAL = "categorical_features"
LAYERS = "hidden_layer_sizes"


def check_bound_params(params: Mapping[str, Any]) -> None:
    """Raise `errors.Invalid` for a member that a param cannot have.

    That is a weight below 0, a direction that is not -1, 0 or 1, or a layer without a size.
    """
    if isinstance(weights := params.get(CLASS_WEIGHT), dict):
        for key, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
                _refuse(CLASS_WEIGHT, key, "must be a number of at least 0", weight)
    if isinstance(directions := params.get(MONOTONIC), dict):
        for name, direction in directions.items():
            if isinstance(direction, bool) or direction not in (-1, 0, 1):
                _refuse(MONOTONIC, name, "must be -1, 0 or 1", direction)
    if isinstance(sizes := params.get(LAYERS), list):
        for place, size in enumerate(sizes):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                _refuse(LAYERS, str(place), "must be a whole number of at least 1", size)


def inner_estimator(estimator: BaseEstimator) -> Any:
    """Return the estimator that a calibration wraps, or the estimator itself."""
    return estimator.estimator if isinstance(estimator, CalibratedClassifierCV) else estimator


def bind_params(
    estimator: BaseEstimator,
    labels: Sequence[Label] | None,
    unlearnt: Sequence[Label],
    numbers: Sequence[str],
    columns: int,
) -> None:
    """Put codes in place of labels, and columns of the matrix in place of their names.

    `labels` are those of the training rows, in the order of their codes, and `unlearnt` those of
    the other rows; None and empty for a regressor. The matrix has `columns` columns. First come
    `numbers`, then those into which texts are encoded. Raises `errors.BadData` for a label or a
    column that is not there.
    """
    inner = inner_estimator(estimator)
    params = inner.get_params(deep=False)
    if labels is not None and isinstance(weights := params.get(CLASS_WEIGHT), dict):
        inner.set_params(**{CLASS_WEIGHT: _weights_by_code(weights, labels, unlearnt)})
    if isinstance(directions := params.get(MONOTONIC), dict):
        _check_names(MONOTONIC, directions, numbers, "column of numbers")
        places = np.zeros(columns, int)
        places[: len(numbers)] = [directions.get(name, 0) for name in numbers]
        inner.set_params(**{MONOTONIC: places})
    named = params.get(CATEGORICAL)
    if isinstance(named, list) and named and all(isinstance(each, str) for each in named):
        _check_names(CATEGORICAL, named, numbers, "column of numbers")
        inner.set_params(**{CATEGORICAL: [numbers.index(name) for name in named]})


def _weights_by_code(
    weights: Mapping[str, float], labels: Sequence[Label], unlearnt: Sequence[Label]
) -> dict[int, float]:
    codes = {key: code for code, key in enumerate(label_keys(list(labels)))}
    _check_names(CLASS_WEIGHT, weights, [*codes, *label_keys(list(unlearnt))], "label")
    bound = {codes[key]: weight for key, weight in weights.items() if key in codes}
    if len(codes) - list(bound.values()).count(0) < 2:
        raise errors.BadData(f"params.{CLASS_WEIGHT}", "two labels or more need a weight above 0")
    return bound


def _check_names(param: str, named: Iterable[str], known: Sequence[str], what: str) -> None:
    if unknown := [name for name in named if name not in set(known)]:
        meant = did_you_mean(_as_number(unknown[0]), known)
        raise errors.BadData(
            f"params.{param}",
            f"{quoted(unknown[0])} is no {what}{meant or ';'} there are {listed(known)}",
        )


def _as_number(name: str) -> str:
    """Return `3` for `3.0` and `100000` for `1E5`, as labels are read; others as they are."""
    try:
        return str(int(number)) if (number := float(name)).is_integer() else name
    except ValueError:
        return name


def _refuse(param: str, name: str, rule: str, given: JsonValue) -> None:
    raise errors.Invalid(f"params.{param}.{cut(name)}", f"{rule}, not {describe_value(given)}")
