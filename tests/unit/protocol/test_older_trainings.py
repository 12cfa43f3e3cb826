"""Messages and rows of a training, as this version and the one before write them.

Messages wait in queues and rows are retried while the version changes, so each keeps its meaning.
"""

import json

import pytest

from app.consumer.training_identity import request_key
from app.producer.schemas.requests import TrainBody
from app.protocol.training_options import Split
from app.protocol.training_request import TrainingSpec, TrainRequest
from app.protocol.validation import parse_request, validate
from tests.support.fakes import delivery

SPEC = '"dataset_id":"d","features":["a"],"target":"t"'
BODY = {"dataset_id": "d", "features": ["a"], "target": "t"}
FOREST = {"n_estimators": 100, "max_depth": 3, "random_state": 42}
SEED = {"random_state": 42}

# What an older producer publishes for the members of a body, and what that means.
OLDER = [
    (
        {},
        b'{%s,"estimator":"random_forest_regressor","params":{},"test_size":0.2,"model_id":"m"}',
        ("random_forest_regressor", FOREST, None),
    ),
    (
        {"params": {"n_estimators": 5}},
        b'{%s,"estimator":"random_forest_regressor","params":{"n_estimators":5},"test_size":0.2,'
        b'"model_id":"m"}',
        ("random_forest_regressor", {**FOREST, "n_estimators": 5}, None),
    ),
    (
        {"estimator": "logistic_regression"},
        b'{%s,"estimator":"logistic_regression","params":{},"test_size":0.2,"model_id":"m"}',
        ("logistic_regression", {"max_iter": 1000, **SEED}, None),
    ),
    (
        {"estimator": "svm_classifier", "max_seconds": 60},
        b'{%s,"estimator":"svm_classifier","params":{},"test_size":0.2,"max_seconds":60.0,'
        b'"model_id":"m"}',
        ("svm_classifier", SEED, "sigmoid"),
    ),
]
# What the version before published for it, and what that means.
BEFORE = [
    (
        {},
        b'{%s,"test_size":0.2,"model_id":"m","defaults":"scikit-learn"}',
        ("random_forest_regressor", {"max_depth": 3, **SEED}, None),
    ),
    (
        {"params": {"n_estimators": 5}},
        b'{%s,"params":{"n_estimators":5},"test_size":0.2,"model_id":"m",'
        b'"defaults":"scikit-learn"}',
        ("random_forest_regressor", {"n_estimators": 5, **SEED}, None),
    ),
    (
        {"estimator": "LogisticRegression"},
        b'{%s,"estimator":"logistic_regression","test_size":0.2,"model_id":"m",'
        b'"defaults":"scikit-learn"}',
        ("logistic_regression", SEED, None),
    ),
    (
        {"estimator": "SVC", "calibrate": "sigmoid", "test_size": 50, "types": {"a": "number"}},
        b'{%s,"estimator":"svm_classifier","calibrate":"sigmoid","test_size":50,'
        b'"types":{"a":{"type":"number","missing":[]}},"model_id":"m","defaults":"scikit-learn"}',
        ("svm_classifier", SEED, "sigmoid"),
    ),
]
# What this version publishes for it, and what that means.
NEWER = [
    (
        {},
        b'{%s,"model_id":"m","defaults":"by-estimator"}',
        ("random_forest_regressor", {"max_depth": 3, **SEED}, None),
    ),
    (
        {"params": {"n_estimators": 5}, "test_size": 0.25},
        b'{%s,"params":{"n_estimators":5},"test_size":0.25,"model_id":"m",'
        b'"defaults":"by-estimator"}',
        ("random_forest_regressor", {"n_estimators": 5, **SEED}, None),
    ),
    (
        {"estimator": "SVC", "calibrate": "sigmoid", "test_size": 50, "types": {"a": "number"}},
        b'{%s,"estimator":"svm_classifier","calibrate":"sigmoid","test_size":50,'
        b'"types":{"a":{"type":"number","missing":[]}},"model_id":"m","defaults":"by-estimator"}',
        ("svm_classifier", SEED, "sigmoid"),
    ),
    (
        {"estimator": "Ridge", "cv": 3, "sample_weight": "w"},
        b'{%s,"estimator":"ridge","cv":{"folds":3,"repeats":1},"sample_weight":"w",'
        b'"model_id":"m","defaults":"by-estimator"}',
        ("ridge", SEED, None),
    ),
]


def filled(message: bytes) -> bytes:
    return message % SPEC.encode()


def asked(**changes) -> TrainRequest:
    return TrainRequest.of(validate(TrainBody, {**BODY, **changes}), "m")


@pytest.mark.parametrize(("_", "message", "meant"), OLDER + BEFORE + NEWER)
def test_a_message_means_what_its_producer_meant(_, message, meant):
    request = parse_request(TrainRequest, filled(message))

    assert tuple(request.resolved_estimator) == meant
    assert parse_request(TrainRequest, request.encode()) == request


@pytest.mark.parametrize(("body", "message", "_"), NEWER)
def test_these_are_the_bytes_that_this_version_publishes(body, message, _):
    assert asked(**body).encode() == filled(message)


@pytest.mark.parametrize(("_", "message", "meant"), OLDER + BEFORE)
def test_a_row_of_a_version_before_means_what_it_meant(_, message, meant):
    row = {"max_seconds": None, "max_memory": None, **json.loads(filled(message))}

    assert tuple(validate(TrainRequest, row).resolved_estimator) == meant


@pytest.mark.parametrize(("body", "_", "meant"), NEWER)
def test_a_row_of_this_version_survives_as_json_without_members_that_are_null(body, _, meant):
    row = asked(**body).row()

    assert tuple(validate(TrainRequest, json.loads(json.dumps(row))).resolved_estimator) == meant
    assert None not in row.values()


@pytest.mark.parametrize("message", [message for _, message, _ in BEFORE])
def test_a_message_of_the_version_before_keeps_its_defaults_and_its_split(message):
    request = parse_request(TrainRequest, filled(message))

    assert request.defaults == "scikit-learn"
    assert request.resolved_split == Split(test_size=json.loads(filled(message))["test_size"])
    assert not request.refits


@pytest.mark.parametrize(("body", "message", "_"), OLDER + BEFORE)
def test_a_request_repeated_after_the_change_of_versions_is_the_same(body, message, _):
    older, newer = parse_request(TrainRequest, filled(message)), asked(**body)

    assert older.asks_the_same(newer)
    assert newer.asks_the_same(older)
    delivered = delivery(b"", message_id="mine")
    assert request_key(delivered, older) == request_key(delivered, newer)


def test_naming_the_default_estimator_is_another_request():
    assert not asked().asks_the_same(asked(estimator="random_forest_regressor"))
    assert asked().asks_the_same(asked(params={}))
    assert asked(params={"n_estimators": 5}).asks_the_same(
        asked(params={"n_estimators": 5}, estimator="RandomForestRegressor")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cv": 5}, {"cv": 5, "test_size": 0.2}),
        ({"cv": 5}, {"cv": 4}),
        ({"cv": 5}, {}),
        ({"sample_weight": "w"}, {}),
        ({"features": {"exclude": ["b"]}}, {"features": {"exclude": []}}),
        ({"features": None}, {}),
    ],
)
def test_requests_with_other_options_are_not_the_same(one, other):
    assert not asked(**one).asks_the_same(asked(**other))


def test_a_number_of_folds_is_the_object_with_it():
    assert asked(cv=5).asks_the_same(asked(cv={"folds": 5}))


NEW = {
    "calibrate": "sigmoid",
    "types": {},
    "defaults": "by-estimator",
    "dataset_version": "v",
    "split": {},
    "cv": 5,
    "refit": True,
    "sample_weight": "w",
    "preprocessing": {},
    "target_transform": "none",
    "name": "n",
    "tags": ["a"],
}


@pytest.mark.parametrize(
    ("members", "defaults"),
    [
        ({}, "by-estimator"),
        ({"estimator": "ridge"}, "by-estimator"),
        ({"estimator": "ridge", "params": {}}, "by-estimator"),
        ({"estimator": "ridge", "test_size": 0.2}, "by-estimator"),
        ({"estimator": "ridge", "params": {}, "test_size": 0.2}, "older"),
        *(
            ({"estimator": "SVC", "params": {}, "test_size": 0.2, name: value}, "by-estimator")
            for name, value in NEW.items()
        ),
    ],
)
def test_a_client_without_http_has_the_defaults_of_now_unless_it_writes_like_older_producers(
    members, defaults
):
    assert validate(TrainRequest, {**BODY, **members}).defaults == defaults


def test_each_field_that_older_producers_did_not_know_tells_that_a_message_is_newer():
    older = {"dataset_id", "features", "target", "estimator", "params", "test_size"}
    limits = {"model_id", "max_seconds", "max_memory"}  # which they knew, too
    notes = {"unknown_keys"}  # is no option

    assert TrainRequest.model_fields.keys() - older - limits - notes == NEW.keys()


def test_the_body_of_http_has_no_such_marker():
    assert "defaults" not in TrainingSpec.model_fields
