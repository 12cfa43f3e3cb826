import json

import pytest
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from app import errors
from app.protocol.estimators import ESTIMATORS, resolve_estimator
from app.training.estimators import build_estimator, effective_params, estimator_class

NAMES = list(ESTIMATORS)


def build(name, params=None):
    return build_estimator(resolve_estimator(name, params))


@pytest.mark.parametrize("name", NAMES)
def test_every_path_of_the_table_is_that_of_an_estimator(name):
    assert issubclass(estimator_class(ESTIMATORS[name]), BaseEstimator)


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_that_is_named_has_scikit_learns_defaults_and_a_seed(name):
    chosen = resolve_estimator(name, None)
    estimator = build_estimator(chosen)

    cls = estimator_class(ESTIMATORS[name])
    seed = {"random_state": 42} if "random_state" in cls().get_params() else {}
    assert type(estimator) is cls
    assert estimator.get_params() == {**cls().get_params(), **seed}
    assert effective_params(chosen) == estimator.get_params()


@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_has_the_task_of_its_row(name):
    estimator = build(name)

    classifies = ESTIMATORS[name].task == "classification"
    assert is_classifier(estimator) == classifies
    assert is_regressor(estimator) != classifies


def test_only_a_support_vector_machine_has_no_probabilities_of_its_own():
    classifiers = [name for name in NAMES if ESTIMATORS[name].task == "classification"]

    without = [name for name in classifiers if not hasattr(build(name), "predict_proba")]

    assert without == ["svm_classifier"]


def test_the_forest_of_a_request_that_names_nothing_is_that_of_the_design():
    forest = build_estimator(resolve_estimator(None, None))

    assert forest.n_estimators == 100
    assert forest.max_depth == 3
    assert forest.random_state == 42


def test_a_parameter_takes_the_place_of_its_default():
    forest = build("random_forest_regressor", {"n_estimators": 7, "random_state": None})

    assert forest.n_estimators == 7
    assert forest.max_depth is None
    assert forest.random_state is None


@pytest.mark.parametrize("how", ["sigmoid", "isotonic"])
def test_a_calibrated_classifier_is_one_classifier_with_its_parameters(how):
    chosen = resolve_estimator("svm_classifier", {"C": 3.5}, how)

    calibrated = build_estimator(chosen)

    assert calibrated.get_params(deep=False) == {
        "cv": None,
        "ensemble": False,
        "estimator": calibrated.estimator,
        "method": how,
        "n_jobs": None,
    }
    assert calibrated.estimator.get_params() == effective_params(chosen)
    assert effective_params(chosen)["C"] == 3.5


@pytest.mark.parametrize("name", NAMES)
def test_all_effective_parameters_can_be_shown_and_asked_for(name):
    shown = effective_params(resolve_estimator(name, None))

    again = json.loads(json.dumps(shown, allow_nan=False))

    assert effective_params(resolve_estimator(name, again)) == shown
    assert build(name, again).get_params() == build(name).get_params()


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_answered_with_those_there_are(name):
    with pytest.raises(errors.Invalid) as caught:
        build(name, {"depth_of_thought": 3})

    assert caught.value.extra["field"] == "params.depth_of_thought"
    assert "params.depth_of_thought" in caught.value.detail
    for allowed in caught.value.extra["allowed"]:
        assert allowed in caught.value.detail


@pytest.mark.parametrize(
    ("name", "params", "field"),
    [
        ("random_forest_regressor", {"n_estimators": 0}, "params.n_estimators"),
        ("random_forest_regressor", {"n_estimators": 1.5}, "params.n_estimators"),
        ("random_forest_regressor", {"n_estimators": "many"}, "params.n_estimators"),
        ("random_forest_regressor", {"n_estimators": None}, "params.n_estimators"),
        ("random_forest_regressor", {"n_estimators": [100]}, "params.n_estimators"),
        ("random_forest_regressor", {"n_estimators": {"a": 1}}, "params.n_estimators"),
        ("random_forest_regressor", {"criterion": "gini"}, "params.criterion"),
        ("random_forest_classifier", {"criterion": "squared_error"}, "params.criterion"),
        ("random_forest_classifier", {"max_depth": -1}, "params.max_depth"),
        ("hist_gradient_boosting_regressor", {"learning_rate": -1}, "params.learning_rate"),
        ("hist_gradient_boosting_classifier", {"max_iter": 0}, "params.max_iter"),
        ("linear_regression", {"fit_intercept": "yes"}, "params.fit_intercept"),
        ("ridge", {"alpha": -1.0}, "params.alpha"),
        ("logistic_regression", {"C": 0}, "params.C"),
        ("svm_regressor", {"kernel": "magic"}, "params.kernel"),
        ("svm_regressor", {"kernel": "precomputed"}, "params.kernel"),
        ("knn_regressor", {"metric": "pyfunc"}, "params.metric"),
        ("svm_classifier", {"C": -1}, "params.C"),
        ("knn_regressor", {"n_neighbors": 0}, "params.n_neighbors"),
        ("knn_classifier", {"weights": "heavy"}, "params.weights"),
    ],
)
def test_an_impossible_parameter_is_refused_by_its_name(name, params, field):
    with pytest.raises(errors.Invalid) as caught:
        build(name, params)

    assert caught.value.extra["field"] == field
    assert caught.value.detail.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        (
            "random_forest_regressor",
            {"n_estimators": 0},
            "params.n_estimators: must be a whole number of at least 1, not 0",
        ),
        (
            "random_forest_regressor",
            {"max_depth": "deep"},
            'params.max_depth: must be a whole number of at least 1 or null, not "deep"',
        ),
        (
            "random_forest_regressor",
            {"bootstrap": "yes"},
            'params.bootstrap: must be true or false, not "yes"',
        ),
        (
            "random_forest_regressor",
            {"max_features": 0},
            "params.max_features: must be a whole number of at least 1, a number above 0 and of at "
            'most 1, "log2", "sqrt" or null, not 0',
        ),
        (
            "random_forest_regressor",
            {"random_state": -1},
            "params.random_state: must be a whole number from 0 to 4294967295 or null, not -1",
        ),
        (
            "ridge",
            {"alpha": None},
            "params.alpha: must be a number of at least 0 or a list, not null",
        ),
        (
            "logistic_regression",
            {"class_weight": [{"0": 1}]},
            'params.class_weight: must be an object with a number for each label, "balanced" or '
            "null, not a list",
        ),
        (
            "svm_classifier",
            {"class_weight": {"a": 1, "b": -1}},
            "params.class_weight.b: must be a number of at least 0, not -1",
        ),
        (
            "hist_gradient_boosting_regressor",
            {"monotonic_cst": {"a": 2}},
            "params.monotonic_cst.a: must be -1, 0 or 1, not 2",
        ),
        (
            "random_forest_regressor",
            {"monotonic_cst": 3},
            "params.monotonic_cst: must be a list, an object with -1, 0 or 1 for each column of "
            "numbers or null, not 3",
        ),
        ("logistic_regression", {"C": [1]}, "params.C: must be a number above 0, not a list"),
        ("svm_regressor", {"coef0": {}}, "params.coef0: must be a number, not an object"),
        (
            "hist_gradient_boosting_regressor",
            {"max_bins": 256},
            "params.max_bins: must be a whole number from 2 to 255, not 256",
        ),
        (
            "random_forest_regressor",
            {"n_jobs": 0.5},
            "params.n_jobs: must be a whole number or null, not 0.5",
        ),
    ],
)
def test_what_a_parameter_may_be_is_said_in_the_words_of_json(name, params, said):
    with pytest.raises(errors.Invalid) as caught:
        build(name, params)

    assert caught.value.detail == said


def test_a_misspelt_parameter_is_recognised():
    with pytest.raises(errors.Invalid, match=r'no such parameter; did you mean "n_estimators"\?'):
        build("random_forest_regressor", {"nEstimators": 3})
