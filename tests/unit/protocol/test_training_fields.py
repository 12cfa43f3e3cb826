"""The fields of a training: what they take, and what is said about any other value."""

import pytest

from app import errors
from app.producer.schemas.requests import TrainBody
from app.protocol.training_fields import ColumnType
from app.protocol.training_request import TrainingSpec, TrainRequest
from app.protocol.validation import validate

BODY = {"dataset_id": "d", "features": ["a", "b"], "target": "t"}
SIZES = (
    "test_size: must be a number above 0 and below 1, the share of the rows that test the model, "
    "or a whole number of at least 1, the count of these rows"
)
KINDS = (
    'must be one of "number", "category", "text", "date", "boolean", or an object with "type" and '
    '"missing"'
)


def asked(**changes):
    return validate(TrainBody, {**BODY, **changes})


@pytest.mark.parametrize(
    ("sent", "read"),
    [(0.2, 0.2), (0.999, 0.999), (1, 1), (50, 50), (50.0, 50), (10**12, 10**12)],
)
def test_a_test_size_is_a_share_or_a_count(sent, read):
    size = asked(test_size=sent).test_size

    assert size == read
    assert type(size) is type(read)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (1.5, "; you sent the number 1.5"),
        (0, "; you sent the number 0"),
        (0.0, "; you sent the number 0.0"),
        (-1, "; you sent the number -1"),
        (True, "; you sent true"),
        ("0.2", '; you sent the string "0.2"'),
        (None, ""),
        ([1], "; you sent a list"),
    ],
)
def test_another_test_size_is_told_both_forms(sent, told):
    with pytest.raises(errors.Invalid) as caught:
        asked(test_size=sent)

    assert caught.value.detail == SIZES + told
    assert caught.value.extra["field"] == "test_size"


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
            'must be "number", "category", "text", "date" or "boolean"',
        ),
        ({"a": {"missing": ["?"]}}, "types.a.type", "is missing"),
        (
            {"a": {"type": "number", "mising": ["?"]}},
            "types.a.mising",
            'this key is not known; did you mean "missing"?',
        ),
        ({"a": {"type": "number", "missing": "?"}}, "types.a.missing", "must be a list"),
        ({"a": {"type": "number", "missing": [9]}}, "types.a.missing.0", "must be a string"),
        ({"A": "number"}, "types", '"A" is neither a feature nor the target; did you mean "a"?'),
        ({"zip": "number"}, "types", '"zip" is neither a feature nor the target'),
        (["number"], "types", "must be an object"),
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
    for example in TrainBody.model_json_schema()["properties"][name]["examples"]:
        validate(TrainBody, {**whole, name: example})
