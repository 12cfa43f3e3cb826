"""The parameters that XGBoost and LightGBM may have; these libraries check little themselves.

Those of their classes that are not here cannot be set: they choose devices, take functions of the
client's own, or need a second data set.
"""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

_COUNT = Interval(Integral, 1, None, closed="left")
_FROM_0 = Interval(Real, 0, None, closed="left")
_ABOVE_0 = Interval(Real, 0, None, closed="neither")
_SHARE = Interval(Real, 0, 1, closed="right")
_LEVELS = Interval(Integral, 0, 64, closed="both")
_SEED = Interval(Integral, 0, 2**31 - 1, closed="both")

_XGBOOST: Mapping[str, list[Any]] = {
    "base_score": [Real, None],
    "booster": [StrOptions({"gbtree", "dart", "gblinear"}), None],
    "colsample_bylevel": [_SHARE, None],
    "colsample_bynode": [_SHARE, None],
    "colsample_bytree": [_SHARE, None],
    "gamma": [_FROM_0, None],
    "grow_policy": [StrOptions({"depthwise", "lossguide"}), None],
    "importance_type": [
        StrOptions({"gain", "weight", "cover", "total_gain", "total_cover"}),
        None,
    ],
    "learning_rate": [_ABOVE_0, None],
    "max_bin": [Interval(Integral, 2, 65_535, closed="both"), None],
    "max_delta_step": [_FROM_0, None],
    "max_depth": [_LEVELS, None],
    "max_leaves": [Interval(Integral, 0, None, closed="left"), None],
    "min_child_weight": [_FROM_0, None],
    "n_estimators": [_COUNT, None],
    "n_jobs": [Integral, None],
    "num_parallel_tree": [_COUNT, None],
    "random_state": [_SEED, None],
    "reg_alpha": [_FROM_0, None],
    "reg_lambda": [_FROM_0, None],
    "scale_pos_weight": [_FROM_0, None],
    "subsample": [_SHARE, None],
    "tree_method": [StrOptions({"auto", "exact", "approx", "hist"}), None],
}
_XGBOOST_LOSSES = {
    *("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror"),
    *("count:poisson", "reg:gamma", "reg:tweedie"),
}
_LIGHTGBM: Mapping[str, list[Any]] = {
    "boosting_type": [StrOptions({"gbdt", "dart", "rf"})],
    "colsample_bytree": [_SHARE],
    "importance_type": [StrOptions({"split", "gain"})],
    "learning_rate": [_ABOVE_0],
    "max_depth": [Interval(Integral, -1, None, closed="left")],
    "min_child_samples": [Interval(Integral, 0, None, closed="left")],
    "min_child_weight": [_FROM_0],
    "min_split_gain": [_FROM_0],
    "n_estimators": [_COUNT],
    "n_jobs": [Integral, None],
    "num_leaves": [Interval(Integral, 2, 131_072, closed="both")],
    "random_state": [_SEED, None],
    "reg_alpha": [_FROM_0],
    "reg_lambda": [_FROM_0],
    "subsample": [_SHARE],
    "subsample_for_bin": [_COUNT],
    "subsample_freq": [Interval(Integral, 0, None, closed="left")],
}
_LIGHTGBM_LOSSES = {
    *("regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma"),
    "tweedie",
}
_CONSTRAINTS: Mapping[str, Mapping[str, list[Any]]] = {
    "XGBRegressor": {**_XGBOOST, "objective": [StrOptions(_XGBOOST_LOSSES)]},
    "XGBClassifier": _XGBOOST,
    "LGBMRegressor": {**_LIGHTGBM, "objective": [StrOptions(_LIGHTGBM_LOSSES), None]},
    "LGBMClassifier": {**_LIGHTGBM, "class_weight": [StrOptions({"balanced"}), dict, None]},
}


def param_constraints(estimator: BaseEstimator) -> Mapping[str, list[Any]]:
    """Return what each parameter may be, in the words of scikit-learn's `_param_validation`."""
    own = _CONSTRAINTS.get(type(estimator).__name__)
    found: Mapping[str, list[Any]] = own if own is not None else estimator._parameter_constraints
    return found
