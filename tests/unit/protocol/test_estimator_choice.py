import pytest
from pydantic import ValidationError

from app.protocol.estimator_choice import (
    canonical_name,
    resolve_estimator,
    resolve_older_estimator,
)
from app.protocol.estimators import CLASS_NAMES, ESTIMATORS
from app.protocol.training_request import TrainingSpec

SEEDED = [name for name, spec in ESTIMATORS.items() if spec.seeded]
ANOMALIES = {"isolation_forest", "IsolationForest"}
FOREST = {"n_estimators": 100, "max_depth": 3, "random_state": 42}


def asked(estimator):
    body = {"dataset_id": "d", "features": ["a"], "target": "t", "estimator": estimator}
    if isinstance(estimator, str) and estimator in ANOMALIES:
        del body["target"]
    return TrainingSpec.model_validate(body)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_name_of_the_table_is_accepted(name):
    assert asked(name).estimator == name


@pytest.mark.parametrize(("name", "ours"), CLASS_NAMES.items())
def test_the_name_of_a_class_is_accepted_and_becomes_ours(name, ours):
    assert asked(name).estimator == ours
    assert ESTIMATORS[ours].path.endswith(f":{name}")


@pytest.mark.parametrize("name", ["RIDGE", "ridge ", "", 1, True, ["ridge"], {"ridge": 1}])
def test_no_other_name_is_accepted(name):
    with pytest.raises(ValidationError):
        asked(name)


def test_an_unknown_name_is_answered_with_all_names():
    with pytest.raises(
        ValueError, match='no such estimator as "neural_network"; choose one of'
    ) as caught:
        canonical_name("neural_network")

    assert all(name in str(caught.value) for name in [*ESTIMATORS, *CLASS_NAMES])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("svm_clasifier", "svm_classifier"),
        ("RandomForestClasifier", "random_forest_classifier"),
        ("KNeighborRegressor", "KNeighborsRegressor"),
        ("svc", "SVC"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(name, meant):
    with pytest.raises(ValueError, match=f'no such estimator as "{name}"; did you mean "{meant}"'):
        canonical_name(name)


def test_the_schema_lists_our_names_and_those_of_the_classes():
    schema, null = TrainingSpec.model_json_schema()["properties"]["estimator"]["anyOf"]

    assert schema == {"type": "string", "enum": [*ESTIMATORS, *CLASS_NAMES]}
    assert null == {"type": "null"}


@pytest.mark.parametrize("params", [None, {}])
def test_a_request_that_names_nothing_means_a_forest_of_depth_3(params):
    resolved = resolve_estimator(None, params)

    assert resolved.name == "random_forest_regressor"
    assert resolved.params == {"max_depth": 3, "random_state": 42}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("params", [None, {}])
def test_an_estimator_that_is_named_has_a_seed_and_no_other_default(name, params):
    resolved = resolve_estimator(name, params)

    assert resolved.params == ({"random_state": 42} if name in SEEDED else {})
    assert resolved.calibrate is None


def test_params_alone_are_those_of_the_default_estimator_and_replace_its_depth():
    resolved = resolve_estimator(None, {"n_estimators": 5})

    assert resolved.name == "random_forest_regressor"
    assert resolved.params == {"n_estimators": 5, "random_state": 42}


def test_a_seed_may_be_asked_for():
    assert resolve_estimator("ridge", {"random_state": None}).params == {"random_state": None}


@pytest.mark.parametrize(
    ("name", "asked", "meant", "calibrate"),
    [
        ("random_forest_regressor", {}, FOREST, None),
        ("random_forest_classifier", {"max_depth": None}, {**FOREST, "max_depth": None}, None),
        ("logistic_regression", {"C": 2}, {"max_iter": 1000, "random_state": 42, "C": 2}, None),
        ("svm_classifier", {}, {"random_state": 42}, "sigmoid"),
        ("svm_regressor", {"C": 2}, {"C": 2}, None),
        ("hist_gradient_boosting_regressor", {}, {"random_state": 42}, None),
    ],
)
def test_older_versions_had_defaults_of_their_own(name, asked, meant, calibrate):
    resolved = resolve_older_estimator(name, asked)

    assert (resolved.name, resolved.params, resolved.calibrate) == (name, meant, calibrate)


def test_a_request_that_names_nothing_means_what_it_meant_before():
    before = resolve_older_estimator("random_forest_regressor", {})
    now = resolve_estimator(None, None)

    assert before.name == now.name
    assert before.params == {"n_estimators": 100, **now.params}
