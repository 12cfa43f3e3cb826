"""What a fit raises is told without a word of Python."""

import numpy as np
import pandas as pd
import pytest

from app import errors
from app.protocol.training_request import TrainRequest
from app.training.fit_messages import cannot_fit, explain_fit, field_of, without_test_rows
from tests.support import frames
from tests.support.words import foreign_words


def frame(rows: int) -> pd.DataFrame:
    values = np.random.default_rng(7).normal(size=(rows, 2))
    data = pd.DataFrame(values, columns=["a", "b"])
    data["number"] = data.a - data.b
    data["three"] = [n % 3 for n in range(rows)]
    data["rare"] = [int(n == 0) for n in range(rows)]
    data["single"] = [2 if n == 1 else n // 2 % 2 for n in range(rows)]
    data["huge"] = 1e300
    data["enormous"] = np.where(np.arange(len(data)) % 2, 1e308, -1e308)
    data.loc[0, "infinite"] = np.inf
    return data.fillna(1.0)


FEW = "a class has too few rows to learn from: this estimator needs 5 of each class"


@pytest.mark.parametrize(
    ("rows", "asked", "said"),
    [
        (1, {}, "too few rows: of 1, test_size 0.2 leaves none to learn from; add rows, or lower"),
        (8, {"test_size": 8}, "too few rows: of 8, test_size 8 leaves none to learn from"),
        (8, {"test_size": 0.99}, "too few rows: of 8, test_size 0.99 leaves none to learn from"),
        (30, {"features": ["huge"]}, "column huge holds a number that is too large, 1e+300"),
        (30, {"features": ["infinite"]}, "column infinite holds infinity, or a number that is too"),
        (
            30,
            {"target": "infinite"},
            "column infinite holds infinity, or a number that is too large",
        ),
        (
            6,
            {"estimator": "knn_regressor"},
            "n_neighbors is 5, but the rows that are left to learn from are 4; lower n_neighbors",
        ),
        (
            6,
            {"estimator": "logistic_regression", "target": "rare", "test_size": 0.8},
            "only one class is left in the training rows; add rows of the others",
        ),
        (8, {"estimator": "svm_classifier", "target": "three", "calibrate": "sigmoid"}, FEW),
        (
            60,
            {"estimator": "svm_classifier", "target": "single", "calibrate": "sigmoid"},
            "a class has too few rows to calibrate; add rows, or leave calibrate out",
        ),
        (
            30,
            {
                "estimator": "hist_gradient_boosting_classifier",
                "target": "rare",
                "params": {"early_stopping": True},
            },
            "a class has a single row, which cannot be split for early stopping",
        ),
        (
            30,
            {"estimator": "logistic_regression", "target": "three", "params": {"penalty": "l1"}},
            'has only the penalties "l2" and null, not "l1"; the solver "saga" has them all',
        ),
        (
            30,
            {
                "estimator": "logistic_regression",
                "target": "three",
                "params": {"solver": "liblinear"},
            },
            'the solver "liblinear" takes two classes only; choose another solver',
        ),
        *(
            (
                30,
                {"estimator": name, "target": "three", "params": {"monotonic_cst": {"a": 1}}},
                "monotonic_cst takes two classes only; leave it out",
            )
            for name in ("random_forest_classifier", "hist_gradient_boosting_classifier")
        ),
        (
            30,
            {"estimator": "logistic_regression", "target": "three", "params": {"dual": True}},
            "dual has to be false for this solver",
        ),
        (
            30,
            {"params": {"bootstrap": False, "oob_score": True}},
            "oob_score needs bootstrap to be true",
        ),
        (
            30,
            {"params": {"bootstrap": False, "max_samples": 5}},
            "max_samples needs bootstrap to be true",
        ),
        (
            30,
            {"params": {"criterion": "poisson"}},
            "this loss or criterion needs a target of numbers above 0",
        ),
        (
            30,
            {"estimator": "ridge", "params": {"solver": "lbfgs"}},
            'the solver "lbfgs" needs positive to be true',
        ),
        (
            30,
            {"estimator": "ridge", "params": {"positive": True, "solver": "svd"}},
            'positive needs the solver "lbfgs" or "auto"',
        ),
        (30, {"estimator": "ridge", "params": {"alpha": [1, 2]}}, "alpha has to be a single"),
        (
            30,
            {"estimator": "ridge", "params": {"alpha": ["a"]}},
            'a param holds "a" where a number is needed',
        ),
        (
            30,
            {"estimator": "knn_regressor", "params": {"metric": "mahalanobis"}},
            'the metric "mahalanobis" needs metric_params',
        ),
        (
            30,
            {
                "estimator": "knn_regressor",
                "features": ["a", "b", "three"],
                "params": {"metric": "haversine"},
            },
            'the metric "haversine" takes two features',
        ),
        (30, {"params": {"n_jobs": 0}}, "n_jobs cannot be 0"),
        (
            30,
            {
                "estimator": "hist_gradient_boosting_regressor",
                "params": {"scoring": "many", "early_stopping": True},
            },
            'scoring takes "loss"',
        ),
        (
            30,
            {
                "estimator": "logistic_regression",
                "target": "three",
                "params": {"class_weight": {"0": 0, "1": 0}},
            },
            "two labels or more need a weight above 0",
        ),
        (
            400,
            {
                "estimator": "hist_gradient_boosting_regressor",
                "params": {"categorical_features": ["b"]},
            },
            "takes columns of at most 255 different values, and one has more",
        ),
        (
            30,
            {
                "estimator": "hist_gradient_boosting_regressor",
                "params": {"categorical_features": [0.5]},
            },
            "categorical_features takes a list of the names of columns of numbers",
        ),
        (
            30,
            {
                "estimator": "hist_gradient_boosting_regressor",
                "params": {"interaction_cst": [1]},
            },
            "interaction_cst takes lists of the places of columns",
        ),
        (
            30,
            {
                "estimator": "gradient_boosting_classifier",
                "target": "three",
                "params": {"loss": "exponential"},
            },
            'the loss "exponential" takes two classes only; leave it out',
        ),
        (
            30,
            {"estimator": "lightgbm_regressor", "params": {"objective": "poisson"}},
            "this loss or criterion needs a target of numbers above 0",
        ),
        (
            30,
            {"estimator": "lightgbm_regressor", "params": {"boosting_type": "rf"}},
            'the boosting_type "rf" needs a subsample_freq of at least 1, and a subsample below 1',
        ),
        (
            30,
            {"estimator": "xgboost_regressor", "params": {"objective": "reg:gamma"}},
            "this loss or criterion needs a target of numbers above 0",
        ),
        (30, {"target": "enormous"}, "has no finite answer to 6 of 6 test rows: scale the columns"),
    ],
)
def test_what_a_fit_lacks_is_told_in_plain_words(rows, asked, said):
    spec = {"dataset_id": "d", "features": ["a", "b"], "target": "number", **asked}
    if spec.get("estimator", "random_forest_regressor") == "random_forest_regressor":
        spec["params"] = {"n_estimators": 2, **spec.get("params", {})}

    with pytest.raises(errors.BadData) as caught:
        frames.train(frame(rows), TrainRequest(**spec))

    assert said in caught.value.detail
    assert not foreign_words(caught.value.detail)


@pytest.mark.parametrize(
    ("params", "error", "said"),
    [
        (None, ValueError("too short"), "ridge cannot be fitted: too short"),
        ({"alpha": 1}, ValueError("bad"), "ridge cannot be fitted with these params: bad"),
        (None, TypeError("'x' object"), "ridge cannot be fitted; the consumer's log says why"),
        ({}, TypeError("'x' object"), "ridge cannot be fitted; the consumer's log says why"),
        (
            {"alpha": 1},
            TypeError("'x' object"),
            "ridge cannot be fitted with these params; change them, or leave them out",
        ),
    ],
)
def test_params_are_blamed_only_if_there_are_any(params, error, said):
    assert cannot_fit("ridge", params, error) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("the rows are too short"), "the rows are too short"),
        (
            OverflowError("value too large to convert to unsigned int"),
            "a number among the params is too large",
        ),
        (
            TypeError("quantile must be an instance of float, not NoneType."),
            'the loss "quantile" needs quantile, a number from 0 to 1',
        ),
        (
            TypeError("iteration over a 0-d array"),
            "a param holds an object where a list is needed",
        ),
        (ValueError(""), None),
        (ValueError("x_ must be an ndarray of dtype('float64')"), None),
        (TypeError("'<' not supported between instances of 'str' and 'int'"), None),
        (AttributeError("'NoneType' object has no attribute 'shape'"), None),
    ],
)
def test_a_message_for_programmers_is_not_told(error, said):
    assert explain_fit(error) == said


@pytest.mark.parametrize(
    ("why", "params", "field"),
    [
        ("n_neighbors is 5, but the rows are 4", {"n_neighbors"}, "params.n_neighbors"),
        ("n_neighbors is 5, but the rows are 4", {}, None),
        ("add rows, or lower test_size", {"max_iter"}, "test_size"),
        ("a feature holds infinity", {"max_iter"}, None),
    ],
)
def test_an_explanation_is_about_the_field_that_it_names(why, params, field):
    assert field_of(why, params) == field


@pytest.mark.parametrize(
    ("why", "left"),
    [
        ("too few rows; add rows, or lower test_size", "too few rows; add rows"),
        ("too few rows; add rows", "too few rows; add rows"),
        ("lower test_size, or add rows", "lower test_size, or add rows"),
    ],
)
def test_without_test_rows_nobody_is_told_to_lower_their_number(why, left):
    assert without_test_rows(why) == left
