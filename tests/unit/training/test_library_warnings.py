"""The warnings of scikit-learn are kept in plain words."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning

from app.evaluation.metrics import regression_metrics
from app.models.manifest import FitWarning
from app.protocol.estimator_choice import resolve_estimator
from app.training.estimators import build_estimator
from app.training.library_warnings import library_warnings
from app.training.progress import fit_with_progress
from tests.support.words import foreign_words

STOPPED = "before it converged, so its answers may be far from the best ones"


def fitted(name, params, *, sums=False):
    """The warnings of a fit to numbers of different sizes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 4)) * [1, 1e3, 1e5, 1]
    y = x[:, 0] * 3
    y = (y > 0).astype(int) if resolve_estimator(name, None).spec.task == "classification" else y
    x = np.c_[x, x[:, 0], x[:, 1] + x[:, 2]] if sums else x
    with library_warnings(params) as found:
        fit_with_progress(build_estimator(resolve_estimator(name, params)), x, y, lambda _: None)
    return found


@pytest.mark.parametrize(
    ("name", "params", "kind", "told", "field"),
    [
        ("logistic_regression", {}, "ConvergenceWarning", f"after 100 iterations, {STOPPED}", ""),
        ("svm_classifier", {"max_iter": 2}, "ConvergenceWarning", f"2 iterations, {STOPPED}", ""),
        ("svm_regressor", {"max_iter": 2}, "ConvergenceWarning", STOPPED, ""),
        (
            "logistic_regression",
            {"solver": "newton-cg", "max_iter": 1},
            "ConvergenceWarning",
            STOPPED,
            "",
        ),
        (
            "logistic_regression",
            {"solver": "liblinear", "max_iter": 1},
            "ConvergenceWarning",
            STOPPED,
            "",
        ),
        ("ridge", {"solver": "sag", "max_iter": 1}, "ConvergenceWarning", STOPPED, ""),
        (
            "random_forest_regressor",
            {"criterion": "friedman_mse", "n_estimators": 2},
            "FutureWarning",
            'scikit-learn 1.11 will not have "friedman_mse" any more; use "squared_error"',
            "params.criterion",
        ),
        (
            "svm_classifier",
            {"probability": True},
            "FutureWarning",
            "scikit-learn 1.11 will not have probability any more; leave it out, and set calibrate "
            'to "sigmoid"',
            "params.probability",
        ),
        (
            "logistic_regression",
            {"penalty": "l1", "solver": "saga"},
            "FutureWarning",
            "scikit-learn 1.10 will not have penalty any more",
            "params.penalty",
        ),
        (
            "logistic_regression",
            {"n_jobs": 2},
            "FutureWarning",
            "n_jobs has no effect",
            "params.n_jobs",
        ),
        (
            "random_forest_classifier",
            {"oob_score": True, "n_estimators": 2},
            "UserWarning",
            "too few trees",
            "params.n_estimators",
        ),
        (
            "gradient_boosting_regressor",
            {"criterion": "squared_error", "n_estimators": 2},
            "FutureWarning",
            "criterion has no effect",
            "params.criterion",
        ),
        ("lasso", {"alpha": 0}, "UserWarning", "choose linear_regression", "params.alpha"),
        ("knn_classifier", {"p": 0.5}, "UserWarning", "with p below 1", "params.p"),
        (
            "knn_classifier",
            {"metric_params": {"p": 3}},
            "SyntaxWarning",
            "the param p has no effect",
            "params.p",
        ),
        (
            "xgboost_regressor",
            {"booster": "gblinear", "max_depth": 3},
            "UserWarning",
            'the booster does not use "max_depth"',
            "params",
        ),
    ],
)
def test_a_warning_of_a_fit_is_told_in_plain_words(name, params, kind, told, field):
    found = fitted(name, params)

    (warning,) = [each for each in found if told in each.detail]
    assert (warning.type, warning.field) == (kind, field or "params.max_iter")
    assert not any(foreign_words(each.detail) for each in found)
    assert len({each.detail for each in found}) == len(found)


def test_features_that_repeat_each_other_are_told():
    (warning,) = fitted("ridge", {"solver": "cholesky", "alpha": 0}, sums=True)

    assert (warning.type, warning.field) == ("LinAlgWarning", "features")


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("random_forest_classifier", {"class_weight": "balanced", "n_estimators": 20}),
        ("hist_gradient_boosting_classifier", {"class_weight": "balanced", "max_iter": 3}),
        ("linear_regression", {}),
    ],
)
def test_what_a_fit_does_of_itself_is_not_told(name, params):
    assert fitted(name, params) == []


def test_a_metric_that_is_not_defined_is_told():
    with library_warnings({}) as found:
        regression_metrics(np.array([1.0]), np.array([2.0]))

    (warning,) = found
    assert (warning.type, warning.field) == (UndefinedMetricWarning.__name__, "test_size")


def test_a_class_that_a_part_of_the_calibration_lacks_is_told():
    asked = resolve_estimator("svm_classifier", None, "sigmoid")
    x = np.random.default_rng(0).normal(size=(46, 2))

    with library_warnings({}) as found:
        build_estimator(asked).fit(x, [0] * 15 + [1] * 15 + [2] * 15 + [3])

    assert {each.field for each in found} == {"target"}
    assert sorted(each.detail.partition(",")[0] for each in found) == [
        "a part of the cross-validation was fitted without one of the classes",
        "the smallest class has fewer rows",
    ]


@pytest.mark.parametrize(
    ("category", "text", "told"),
    [
        (UserWarning, "The rows are few.", "The rows are few."),
        (
            UserWarning,
            "max_samples (50) is greater than the total number of samples (9). max_samples will be",
            "max_samples is 50, but there are 9 rows to learn from, so each tree takes them all",
        ),
        (UserWarning, "`x_` is None", "scikit-learn warned; the consumer's log has its words"),
        (
            UserWarning,
            "[02:34:43] WARNING: src/learner.cc:343: `booster=dart` is deprecated. Use the tree",
            'a later XGBoost will not have the booster "dart" any more; leave booster out',
        ),
        (
            UserWarning,
            "[02:34:52] WARNING: src/learner.cc:825: `booster=gblinear` is deprecated and support",
            'a later XGBoost will not have the booster "gblinear" any more; choose a linear',
        ),
        (RuntimeWarning, "overflow encountered in exp", "numbers became too large or too small"),
        (ConvergenceWarning, "did not converge\n  at all", STOPPED),
        (FutureWarning, "'alpha' will be removed", "'alpha' will be removed"),
    ],
)
def test_any_warning_is_told_once(category, text, told):
    with library_warnings({"alpha": 1}) as found:
        for _ in range(2):
            warnings.warn(text, category, stacklevel=1)

    (warning,) = found
    assert isinstance(warning, FitWarning)
    assert told in warning.detail


@pytest.mark.parametrize(
    ("category", "text"),
    [
        (FutureWarning, "'beta' will be removed"),
        (DeprecationWarning, "np.thing is old"),
        (UserWarning, "X does not have valid feature names"),
    ],
)
def test_a_warning_about_how_the_libraries_are_called_is_not_told(category, text):
    with library_warnings({"alpha": 1}) as found:
        warnings.warn(text, category, stacklevel=1)

    assert found == []


def test_the_warnings_of_a_fit_that_fails_are_not_raised():
    x = np.full((9, 1), np.nan)

    with pytest.raises(ValueError, match="NaN"), library_warnings({"n_jobs": 2}):
        build_estimator(resolve_estimator("logistic_regression", {"n_jobs": 2})).fit(x, range(9))
