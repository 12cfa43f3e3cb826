"""The fields of a training: what they take, and what is said about any other value."""

import pytest

from app import errors
from app.producer.schemas.requests import TrainBody
from app.protocol.column_types import ColumnType
from app.protocol.training_request import TrainingSpec, TrainRequest
from app.protocol.validation import validate

BODY = {"dataset_id": "d", "features": ["a", "b"], "target": "t"}
FEATURES = "must be a list of columns, or an object with exclude"
FOLDS = "must be a whole number of folds, or an object with folds and repeats"
SIZES = (
    "test_size: must be 0, a number above 0 and below 1, the share of the rows that test the "
    "model, or a whole number of at least 1, the count of these rows"
)
KINDS = (
    'must be one of "number", "category", "text", "date", "boolean", or an object with "type" and '
    '"missing"'
)


def asked(**changes):
    return validate(TrainBody, {**BODY, **changes})


@pytest.mark.parametrize(
    ("sent", "read"),
    [(0, 0), (0.0, 0), (0.2, 0.2), (0.999, 0.999), (1, 1), (50, 50), (50.0, 50), (10**12, 10**12)],
)
def test_a_test_size_is_a_share_or_a_count(sent, read):
    size = asked(test_size=sent).test_size

    assert size == read
    assert type(size) is type(read)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (1.5, "; you sent the number 1.5"),
        (-1, "; you sent the number -1"),
        (True, "; you sent true"),
        ("0.2", '; you sent the string "0.2"'),
        ([1], "; you sent a list"),
    ],
)
def test_another_test_size_is_told_both_forms(sent, told):
    with pytest.raises(errors.Invalid) as caught:
        asked(test_size=sent)

    assert caught.value.detail == SIZES + told
    assert caught.value.extra["field"] == "test_size"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": "a"}, f'features: {FEATURES}; you sent "a"'),
        ({"features": True}, f"features: {FEATURES}; you sent true"),
        ({"features": {"a": 1}}, "features.exclude: is missing"),
        (
            {"features": {"exclude": ["zip"]}, "types": {"zip": "category"}},
            'types: "zip" is excluded from the features; leave it out',
        ),
        ({"cv": "5"}, f'cv: {FOLDS}; you sent "5"'),
        ({"cv": True}, f"cv: {FOLDS}; you sent true"),
        ({"cv": [5]}, f"cv: {FOLDS}; you sent a list"),
        (
            {"cv": 2.5},
            "cv.folds: must be a whole number, written in digits only; you sent the number 2.5",
        ),
        ({"cv": 1}, "cv.folds: must be at least 2; you sent the number 1"),
        ({"cv": {"k": 5}}, "cv.k: this key is not known; known are folds, repeats"),
        (
            {"cv": {"folds": 30, "repeats": 4}},
            "cv.repeats: folds times repeats are at most 100 fits",
        ),
        (
            {"split": {"stratify": 3}},
            'split.stratify: must be true, false or "auto"; you sent the number 3',
        ),
        (
            {"split": {"stratify": True}},
            "split.stratify: only the classes of a classifier can be stratified",
        ),
        (
            {"split": {"stratify": True, "time": "day"}, "estimator": "SVC"},
            "split.stratify: a split in time cannot be stratified",
        ),
        (
            {"split": {"stratify": True, "group": "who"}, "estimator": "SVC"},
            "split.stratify: test rows by group cannot be stratified, but folds can; give cv "
            "without test_size",
        ),
        (
            {"split": {"group": "who", "time": "day"}},
            "split.time: a split is by group or by time, not both",
        ),
        *(
            (
                {"split": {"random_state": seed, "time": "day"}},
                "split.random_state: a split in time has nothing to draw; leave this out",
            )
            for seed in (None, 7)
        ),
        (
            {"split": {"random_state": 7, "group": "who"}, "cv": 5},
            "split.random_state: folds by group are drawn only if they are repeated or stratified; "
            "leave this out",
        ),
        ({"split": {"group": "t"}}, 'split.group: "t" is also the target'),
        ({"sample_weight": "a"}, "sample_weight: a is also among the features"),
        (
            {"split": {"test_size": 0.2}, "test_size": 0.2},
            "test_size: given here and in split; give it once",
        ),
        (
            {"refit": False, "cv": 5},
            "refit: false needs test rows beside the folds; give test_size",
        ),
        (
            {"refit": True, "test_size": 0},
            "refit: with a test_size of 0 the model learns from all rows anyway",
        ),
        (
            {"sample_weight": "w", "estimator": "knn_classifier"},
            "sample_weight: knn_classifier takes no weights; choose another estimator",
        ),
        (
            {"random_state": 3},
            "random_state: this key is not known; split has it; parameters of the estimator belong "
            "in params",
        ),
        (
            {"scaling": "standard"},
            "scaling: this key is not known; preprocessing has it; parameters of the estimator "
            "belong in params",
        ),
        ({"target": None}, "target: name the column to predict"),
        (
            {"estimator": "isolation_forest"},
            "target: isolation_forest learns without a target; leave it out",
        ),
        *(
            (
                {"estimator": "isolation_forest", "target": None, **given},
                f"{field}: without a target nothing is measured, and isolation_forest learns from "
                "all rows",
            )
            for given, field in (
                ({"cv": 3}, "cv"),
                ({"refit": True}, "refit"),
                ({"test_size": 0.2}, "test_size"),
                ({"split": {"test_size": 10}}, "split.test_size"),
                ({"split": {"stratify": True}}, "split.stratify"),
                ({"split": {"group": "who"}}, "split.group"),
                ({"split": {"time": "day"}}, "split.time"),
                ({"split": {"random_state": 7}}, "split.random_state"),
                ({"split": {"random_state": None}}, "split.random_state"),
                ({"target_transform": "log1p"}, "target_transform"),
            )
        ),
        *(
            (
                {"estimator": "SVC", **given},
                f"{field}: with a test_size of 0 no row is split off; leave it out, or give cv",
            )
            for given, field in (
                ({"split": {"group": "who"}, "test_size": 0}, "split.group"),
                ({"split": {"time": "day", "test_size": 0}}, "split.time"),
                ({"split": {"stratify": True, "test_size": 0}}, "split.stratify"),
                ({"split": {"random_state": 7, "test_size": 0}}, "split.random_state"),
            )
        ),
        (
            {"estimator": "IsolationForest", "target": None, "calibrate": "sigmoid"},
            "calibrate: only a classifier can be calibrated, and isolation_forest predicts numbers",
        ),
    ],
)
def test_options_that_cannot_be_are_told_what_is_allowed(changes, told):
    with pytest.raises(errors.Invalid) as caught:
        asked(**changes)

    assert caught.value.detail == told


@pytest.mark.parametrize(
    "changes",
    [
        {"split": {"stratify": True, "group": "who"}, "cv": 5, "estimator": "SVC"},
        {"split": {"stratify": False}},
        {"split": {"stratify": False, "random_state": 42, "test_size": 0}},
        {"split": {"random_state": 7, "test_size": 0}, "cv": 3},
        {"estimator": "isolation_forest", "target": None, "sample_weight": "w", "test_size": 0},
        {"split": {"random_state": 42, "time": "day"}, "cv": {"folds": 3}},
        {"split": {"random_state": None, "group": "who"}, "cv": {"folds": 3, "repeats": 2}},
        {"split": {"random_state": 1, "group": "who"}, "cv": 3, "test_size": 0.2},
        {
            "split": {"random_state": 1, "group": "who", "stratify": True},
            "cv": 3,
            "estimator": "SVC",
        },
        {"cv": {"folds": 50, "repeats": 2}},
        {"features": {"exclude": ["t", "who"]}, "split": {"group": "who"}},
        {"sample_weight": "w", "estimator": "ridge", "test_size": 0},
    ],
)
def test_options_that_fit_together_are_accepted(changes):
    assert asked(**changes)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("number", ColumnType(type="number")),
        ({"type": "date"}, ColumnType(type="date")),
        ({"type": "text", "missing": ["?", "-"]}, ColumnType(type="text", missing=["?", "-"])),
    ],
)
@pytest.mark.parametrize("column", ["a", "t"])
def test_a_column_has_a_type_and_its_missing_markers(column, sent, read):
    assert asked(types={column: sent}).types == {column: read}


@pytest.mark.parametrize(
    ("types", "field", "told"),
    [
        ({"a": "numbr"}, "types.a", f'{KINDS}; did you mean "number"?'),
        ({"a": 3}, "types.a", KINDS),
        ({"a": None}, "types.a", KINDS),
        (
            {"a": {"type": "int"}},
            "types.a.type",
            'must be "number", "category", "text", "date" or "boolean"; you sent "int"',
        ),
        ({"a": {"missing": ["?"]}}, "types.a.type", "is missing"),
        (
            {"a": {"type": "number", "mising": ["?"]}},
            "types.a.mising",
            'this key is not known; did you mean "missing"?',
        ),
        (
            {"a": {"type": "number", "missing": "?"}},
            "types.a.missing",
            'must be a list; you sent "?"',
        ),
        (
            {"a": {"type": "number", "missing": [9]}},
            "types.a.missing.0",
            "must be a string; you sent the number 9",
        ),
        ({"A": "number"}, "types", '"A" is neither a feature nor the target; did you mean "a"?'),
        ({"zip": "number"}, "types", '"zip" is neither a feature nor the target'),
        (["number"], "types", "must be an object; you sent a list"),
    ],
)
def test_another_type_is_told_what_is_allowed(types, field, told):
    with pytest.raises(errors.Invalid) as caught:
        asked(types=types)

    assert caught.value.detail == f"{field}: {told}"
    assert caught.value.extra["field"] == field


@pytest.mark.parametrize("how", ["sigmoid", "isotonic", None])
@pytest.mark.parametrize(
    "estimator", ["svm_classifier", "SVC", "hist_gradient_boosting_classifier"]
)
def test_a_classifier_may_be_calibrated(estimator, how):
    assert asked(estimator=estimator, calibrate=how).resolved_estimator.calibrate == how


@pytest.mark.parametrize("estimator", [None, "ridge", "SVR"])
def test_only_a_classifier_may_be_calibrated(estimator):
    with pytest.raises(errors.Invalid, match="calibrate: only a classifier can be calibrated, and"):
        asked(estimator=estimator, calibrate="sigmoid")


@pytest.mark.parametrize("how", ["platt", True, ["sigmoid"]])
def test_another_calibration_is_told_the_two_there_are(how):
    with pytest.raises(errors.Invalid, match='calibrate: must be "sigmoid" or "isotonic"'):
        asked(estimator="SVC", calibrate=how)


@pytest.mark.parametrize("kind", [TrainingSpec, TrainRequest, TrainBody])
def test_every_field_of_a_request_is_described_with_an_example(kind):
    fields = kind.model_json_schema(mode="validation")["properties"]

    for name in TrainingSpec.model_fields:
        assert fields[name]["description"], name
        assert fields[name]["examples"], name


@pytest.mark.parametrize("name", TrainingSpec.model_fields)
def test_the_examples_of_a_field_are_accepted(name):
    whole = {**BODY, "features": ["size", "zip"], "estimator": "SVC"}
    if name == "features":
        whole["target"] = "other"
    if name == "target_transform":
        whole["estimator"] = "ridge"
    for example in TrainBody.model_json_schema()["properties"][name]["examples"]:
        validate(TrainBody, {**whole, name: example})
