"""Describe in the words of JSON the values that a parameter of an estimator may have."""

import math
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options

from app.protocol.wording import quoted
from app.training.booster_params import param_constraints

# By scikit-learn's names of constraints and by types; JSON has no values for the others.
_PHRASES: dict[Any, tuple[str, ...]] = {
    "boolean": ("true", "false"),
    "verbose": ("a whole number of at least 0", "true", "false"),
    "random_state": ("a whole number from 0 to 4294967295", "null"),
    "array-like": ("a list",),
    None: ("null",),
    int: ("a whole number",),
    Integral: ("a whole number",),
    Real: ("a number",),
    str: ("a string",),
    list: ("a list",),
    dict: ("an object",),
}

# By names of parameters: what an object among their constraints holds.
_OBJECTS = {
    "class_weight": "an object with a number for each label",
    "monotonic_cst": "an object with -1, 0 or 1 for each column of numbers",
}


# What no request can use: distances instead of features, and a function of the client's own.
UNUSABLE = frozenset(("precomputed", "pyfunc"))


def describe_rule(estimator: BaseEstimator, name: str) -> str:
    """Return the rule of a parameter: `must be a number above 0 or null`."""
    phrases = list(dict.fromkeys(_phrases(name, param_constraints(estimator)[name])))
    if len(phrases) > 1:
        phrases = [f"{', '.join(phrases[:-1])} or {phrases[-1]}"]
    return f"must be {phrases[0]}" if phrases else "cannot be set"


def _phrases(name: str, constraints: list[Any]) -> Iterator[str]:
    for each in constraints:
        if isinstance(each, Interval):
            yield _range(each)
        elif isinstance(each, Options):
            yield from (
                quoted(str(option)) for option in sorted(each.options - each.deprecated - UNUSABLE)
            )
        elif each in (dict, "array-like") and name in _OBJECTS:
            yield from (["a list"] if each == "array-like" else [])
            yield _OBJECTS[name]
        elif each is list and name == "class_weight":
            continue  # for many targets, which a training does not have
        elif isinstance(each, str | type) or each is None:
            yield from _PHRASES.get(each, ())


def _range(interval: Interval) -> str:
    """Return `a number above 0 and below 1` and the like."""
    noun = "a whole number" if interval.type is Integral else "a number"
    left, right = (_bound(each) for each in (interval.left, interval.right))
    includes_left = interval.closed in ("left", "both")
    includes_right = interval.closed in ("right", "both")
    if left and right and includes_left and includes_right:
        return f"{noun} from {left} to {right}"
    bounds = []
    if left:
        bounds.append(f"of at least {left}" if includes_left else f"above {left}")
    if right:
        bounds.append(f"of at most {right}" if includes_right else f"below {right}")
    return " ".join([noun, " and ".join(bounds)]) if bounds else noun


def _bound(value: float | None) -> str | None:
    return None if value is None or math.isinf(value) else f"{value:.15g}"
