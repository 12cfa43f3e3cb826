import json

import pytest
from sklearn.base import BaseEstimator, is_classifier, is_outlier_detector, is_regressor
from sklearn.utils.validation import has_fit_parameter

from app import errors
from app.protocol.estimator_choice import resolve_estimator
from app.protocol.estimators import ESTIMATORS, EstimatorSpec
from app.training.booster_params import param_constraints
from app.training.estimators import build_estimator, effective_params, estimator_class

NAMES = list(ESTIMATORS)


def build(name, params=None):
    return build_estimator(resolve_estimator(name, params))


def offered(name):
    estimator = estimator_class(ESTIMATORS[name])()
    return param_constraints(estimator) if ESTIMATORS[name].package else estimator.get_params()


def as_json(params):
    return json.loads(json.dumps(params).replace("NaN", "null"))


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
    assert repr(estimator.get_params()) == repr({**cls().get_params(), **seed})
    assert effective_params(chosen) == as_json(estimator.get_params())


@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_has_the_task_of_its_row(name):
    estimator = build(name)

    tasks = {
        "classification": is_classifier(estimator),
        "regression": is_regressor(estimator),
        "anomalies": is_outlier_detector(estimator),
    }
    assert [task for task, has in tasks.items() if has] == [ESTIMATORS[name].task]


@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_whose_fit_takes_weights_says_so(name):
    assert ESTIMATORS[name].weighted == has_fit_parameter(build(name), "sample_weight")


def test_only_machines_of_support_vectors_and_hinges_have_no_probabilities_of_their_own():
    classifiers = [name for name in NAMES if ESTIMATORS[name].task == "classification"]

    without = [name for name in classifiers if not hasattr(build(name), "predict_proba")]

    assert without == ["sgd_classifier", "linear_svm_classifier", "svm_classifier"]


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

    assert json.dumps(shown, allow_nan=False)
    again = {each: value for each, value in as_json(shown).items() if each in offered(name)}

    assert effective_params(resolve_estimator(name, again)) == shown
    assert as_json(build(name, again).get_params()) == as_json(build(name).get_params())


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
        ("lasso", {"selection": "best"}, "params.selection"),
        ("elastic_net", {"l1_ratio": 1.5}, "params.l1_ratio"),
        ("sgd_classifier", {"loss": "logistic"}, "params.loss"),
        ("linear_svm_regressor", {"loss": "hinge"}, "params.loss"),
        ("linear_svm_classifier", {"multi_class": "ovo"}, "params.multi_class"),
        ("extra_trees_classifier", {"n_estimators": 0}, "params.n_estimators"),
        ("decision_tree_regressor", {"splitter": "middle"}, "params.splitter"),
        ("gradient_boosting_regressor", {"subsample": 2}, "params.subsample"),
        ("gradient_boosting_classifier", {"init": "one"}, "params.init"),
        ("gaussian_nb", {"var_smoothing": -1}, "params.var_smoothing"),
        ("mlp_regressor", {"hidden_layer_sizes": 0}, "params.hidden_layer_sizes"),
        ("isolation_forest", {"contamination": 0.9}, "params.contamination"),
        ("xgboost_regressor", {"max_depth": -1}, "params.max_depth"),
        ("xgboost_regressor", {"objective": "binary:logistic"}, "params.objective"),
        ("xgboost_classifier", {"learning_rate": "fast"}, "params.learning_rate"),
        ("lightgbm_regressor", {"num_leaves": 1}, "params.num_leaves"),
        ("lightgbm_classifier", {"boosting_type": "goss"}, "params.boosting_type"),
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
        (
            "mlp_classifier",
            {"hidden_layer_sizes": [10, 0.5]},
            "params.hidden_layer_sizes.1: must be a whole number of at least 1, not 0.5",
        ),
        (
            "mlp_classifier",
            {"hidden_layer_sizes": "many"},
            'params.hidden_layer_sizes: must be a list or a whole number of at least 1, not "many"',
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


@pytest.mark.parametrize(
    ("name", "param", "meant"),
    [
        ("xgboost_regressor", "n_estimator", "n_estimators"),
        ("lightgbm_classifier", "numLeaves", "num_leaves"),
        ("lightgbm_regressor", "callbacks", None),
        ("xgboost_classifier", "device", None),
    ],
)
def test_boosters_take_no_parameter_that_is_not_offered(name, param, meant):
    with pytest.raises(errors.Invalid) as caught:
        build(name, {param: 3})

    said = f'; did you mean "{meant}"?' if meant else ";"
    assert f"{name} has no such parameter{said}" in caught.value.detail


def test_a_package_that_is_not_installed_is_named():
    missing = EstimatorSpec("not_installed:XGBRegressor", "regression", package="xgboost-cpu")

    with pytest.raises(errors.Invalid) as caught:
        estimator_class(missing)

    assert caught.value.extra["field"] == "estimator"
    assert "xgboost_regressor needs the package xgboost-cpu, which is not" in caught.value.detail


def test_a_misspelt_parameter_is_recognised():
    with pytest.raises(errors.Invalid, match=r'no such parameter; did you mean "n_estimators"\?'):
        build("random_forest_regressor", {"nEstimators": 3})
