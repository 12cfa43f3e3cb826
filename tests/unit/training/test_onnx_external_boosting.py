import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier, XGBRegressor

from app.training.onnx_export import to_onnx
from app.training.onnx_graph import NotExportable
from tests.support import trees

XGBOOST = {"n_estimators": 7, "random_state": 3, "n_jobs": 1}
LIGHTGBM = {**XGBOOST, "verbose": -1}
SHARES = 1e-5  # of probabilities, which XGBoost computes in float32


@pytest.mark.parametrize("kind", trees.KINDS)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"max_depth": 2, "learning_rate": 1.0},
        {"grow_policy": "lossguide", "max_leaves": 3, "num_parallel_tree": 2},
        {"min_child_weight": 1e6},  # so that each tree is a leaf
        {"objective": "reg:absoluteerror", "base_score": 0.3},
    ],
    ids=str,
)
def test_sums_of_xgboost_are_the_same_float32(params, kind):
    x = trees.rows(kind, 1)

    fitted = XGBRegressor(**{**XGBOOST, **params}).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows(kind, 2), rtol=0)


@pytest.mark.parametrize("objective", ["count:poisson", "reg:gamma", "reg:tweedie"])
def test_the_logarithms_of_xgboost_are_raised(objective):
    x = trees.rows("numbers", 1)

    fitted = XGBRegressor(objective=objective, **XGBOOST).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows("numbers", 2), rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("params", [{}, {"base_score": 0.2}, {"subsample": 0.5}], ids=str)
def test_classes_of_xgboost(classes, params):
    x = trees.rows("missing", 1)

    fitted = XGBClassifier(**{**XGBOOST, **params}).fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows("missing", 2), rtol=SHARES)


@pytest.mark.parametrize("kind", trees.KINDS)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"num_leaves": 3, "learning_rate": 1.0},
        {"min_child_samples": 1000},  # so that each tree is a leaf
        {"boosting_type": "dart"},
        {"objective": "regression_l1"},
    ],
    ids=str,
)
def test_sums_of_lightgbm(params, kind):
    x = trees.rows(kind, 1)

    fitted = LGBMRegressor(**{**LIGHTGBM, **params}).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows(kind, 2), rtol=1e-15)


@pytest.mark.parametrize("objective", ["poisson", "gamma", "tweedie", "huber", "quantile", "mape"])
def test_the_objectives_of_lightgbm(objective):
    x = trees.rows("numbers", 1)

    fitted = LGBMRegressor(objective=objective, **LIGHTGBM).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows("numbers", 2))


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classes_of_lightgbm(classes):
    x = trees.rows("missing", 1)

    fitted = LGBMClassifier(**LIGHTGBM).fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows("missing", 2))


def test_a_value_that_is_missing_where_none_was_counts_as_zero_in_lightgbm():
    x = trees.rows("numbers", 1)

    fitted = LGBMRegressor(**LIGHTGBM).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows("missing", 2), rtol=1e-15)


@pytest.mark.filterwarnings("ignore:.*`booster=.*` is deprecated:UserWarning")  # XGBoost 3.4
@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (XGBRegressor(booster="dart", rate_drop=0.5, **XGBOOST), "the booster dart"),
        (XGBRegressor(booster="gblinear", n_estimators=2), "the booster gblinear"),
        (
            LGBMRegressor(boosting_type="rf", subsample=0.5, subsample_freq=1, **LIGHTGBM),
            "the boosting_type rf",
        ),
    ],
    ids=["dart", "linear", "forest"],
)
def test_what_is_no_sum_of_trees_is_not_exported(estimator, reason):
    x = trees.rows("numbers", 1)
    pipeline = Pipeline([("estimator", estimator.fit(x, np.ravel(trees.target(x))))])

    with pytest.raises(NotExportable, match=reason):
        to_onnx(pipeline, x.shape[1], 0)
