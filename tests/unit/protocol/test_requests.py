import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.protocol.estimators import ESTIMATORS
from app.protocol.requests import PredictRequest
from app.protocol.strict_json import loads
from app.protocol.training_options import CrossValidation, Split
from app.protocol.training_request import TrainingSpec, TrainRequest
from app.protocol.types import LATEST, MAX_ROWS
from app.protocol.validation import parse_request, validate
from app.settings.limits import MIN_FIT_MEMORY

TRAINING = {"dataset_id": "d", "features": ["a", "b"], "target": "t"}
PREDICTION = {"model_id": "m", "input_data": {"a": 1.5}}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | finite | text
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)
ids = st.from_regex(r"[A-Za-z0-9](\.?[A-Za-z0-9_-]){0,20}", fullmatch=True)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


HOSTILE = {
    "nothing": b"",
    "blanks": b" \n",
    "a cut object": b'{"a": 1',
    "a trailing comma": b"[1,]",
    "two values": b"{} {}",
    "rubbish behind": b"{}x",
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // why",
    "a bare word": b"nul",
    "a capital word": b"True",
    "a leading zero": b"01",
    "a leading plus": b"+1",
    "a leading dot": b".5",
    "a hexadecimal": b"0x10",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "a float that overflows": b"1e400",
    "a negative float that overflows": b"[-1e400]",
    "an integer of 5000 digits": b"1" * 5000,
    "a key twice": b'{"a": 1, "a": 1}',
    "a key twice below": b'[{"a": {"b": 1, "b": 2}}]',
    "a key twice by escape": b'{"a": 1, "\\u0061": 1}',
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'{"a": "\\udc00"}',
    "surrogates in the wrong order": b'"\\ude00\\ud83d"',
    "a lone surrogate as a key": b'{"\\ud800": 1}',
    "an encoded surrogate": b'"\xed\xa0\x80"',
    "a raw newline in a string": b'"\n"',
    "a NUL": b"\x00",
    "a vertical tab": b"\x0b{}",
    "a byte order mark inside": b"{\xef\xbb\xbf}",
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "Latin-1": '"ä"'.encode("latin-1"),
    "65 levels": b"[" * 65 + b"1" + b"]" * 65,
    "a bomb of lists": b"[" * 100_000,
    "a closed bomb of lists": b"[" * 100_000 + b"]" * 100_000,
    "a bomb of objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_strict_json_is_malformed(body):
    with pytest.raises(errors.Malformed) as caught:
        loads(body)

    assert caught.value.extra["field"] == "body"


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("kind", [TrainRequest, PredictRequest])
def test_a_request_that_is_no_strict_json_is_malformed(kind, body):
    with pytest.raises(errors.Malformed):
        parse_request(kind, body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b" {} \r\n\t", {}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        ('"\U0001f600"'.encode(), "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b"[1e308, -0.0, 1e-400]", [1e308, -0.0, 0.0]),
        (b"[" * 3 + b"]" * 3, [[[]]]),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ],
)
def test_strict_json_is_understood(body, value):
    assert loads(body) == value


@given(json_values)
def test_what_the_json_module_writes_is_read(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_malformed(body):
    try:
        value = loads(body)
    except errors.Malformed:
        return
    assert value == json.loads(body)


@given(
    st.builds(
        TrainRequest,
        dataset_id=ids,
        features=st.lists(text.filter(bool), min_size=1, max_size=5, unique=True),
        target=st.just("the target, longer than all features"),
        estimator=st.none() | st.sampled_from(sorted(ESTIMATORS.keys() - {"isolation_forest"})),
        params=st.none() | st.dictionaries(text, json_values, max_size=3),
        test_size=st.none() | st.floats(0, 1, exclude_min=True, exclude_max=True) | st.integers(1),
        cv=st.none() | st.builds(CrossValidation, folds=st.integers(2, 50), repeats=st.just(2)),
        split=st.none() | st.builds(Split, random_state=st.none() | st.integers(0, 2**32 - 1)),
        types=st.none() | st.just({"the target, longer than all features": "number"}),
        defaults=st.sampled_from(["by-estimator", "scikit-learn", "older"]),
        max_seconds=st.none() | st.floats(0, 1e9, exclude_min=True),
        max_memory=st.none() | st.integers(MIN_FIT_MEMORY, 10**15),
        model_id=st.none() | ids.filter(lambda name: name != LATEST),
    )
)
def test_a_training_survives_the_wire(request):
    assert parse_request(TrainRequest, request.encode()) == request
    assert validate(TrainRequest, request.row()) == request


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", [f"{n:030}" for n in range(10_000)]),
        ("params", {"class_weight": {str(n): 1.0 for n in range(30_000)}}),
    ],
)
def test_a_training_that_is_stored_large_is_refused(field, value):
    large = validate(TrainRequest, {**TRAINING, field: value})
    with pytest.raises(errors.TooLarge, match="may have 250,000 bytes") as caught:
        large.row()

    assert caught.value.extra["field"] == field
    assert large.encode()  # a job of an older version is published all the same


rows = st.dictionaries(text, scalars, max_size=4)


@given(
    st.builds(
        PredictRequest,
        model_id=ids,
        dataset_id=st.none() | ids,
        input_data=rows | st.lists(rows, min_size=1, max_size=3),
    )
)
def test_a_prediction_survives_the_wire(request):
    assert parse_request(PredictRequest, request.encode()) == request


def test_a_null_in_a_row_or_in_the_params_survives_the_wire():
    body = encoded({**PREDICTION, "input_data": {"a": None}})
    assert parse_request(PredictRequest, parse_request(PredictRequest, body).encode()).rows == [
        {"a": None}
    ]

    body = encoded({**TRAINING, "params": {"max_depth": None}})
    assert parse_request(TrainRequest, parse_request(TrainRequest, body).encode()).params == {
        "max_depth": None
    }


def test_types_in_a_row_stay_what_they_were():
    body = encoded({**PREDICTION, "input_data": {"a": True, "b": 1, "c": 1.0, "d": "1"}})

    (row,) = parse_request(PredictRequest, body).rows

    assert [type(value) for value in row.values()] == [bool, int, float, str]


@pytest.mark.parametrize(
    "name", ["a", "A", "0", "a.b", "a-b_c", "a.", "a-", "1.2.3", "x" * 128, "latest"]
)
def test_an_id_is_accepted(name):
    assert parse_request(TrainRequest, encoded({**TRAINING, "dataset_id": name})).dataset_id == name


BAD_IDS = ["", ".", "..", "a..b", "a..", ".a", "-a", "_a", "a/b", "/", "../a", "a\\b", "a b", "a\n"]
BAD_IDS += ["\na", "a\x00", "ä", "x" * 129, 1, True, ["a"], {}]


@pytest.mark.parametrize("name", BAD_IDS)
@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        (TrainRequest, TRAINING, "dataset_id"),
        (TrainRequest, TRAINING, "model_id"),
        (PredictRequest, PREDICTION, "model_id"),
        (PredictRequest, PREDICTION, "dataset_id"),
    ],
)
def test_an_id_that_is_none_is_refused(kind, body, field, name):
    with pytest.raises(errors.Invalid) as caught:
        parse_request(kind, encoded({**body, field: name}))

    assert caught.value.extra["field"] == field


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [(TrainRequest, TRAINING, "dataset_id"), (PredictRequest, PREDICTION, "model_id")],
)
def test_null_is_no_id_where_one_is_needed(kind, body, field):
    with pytest.raises(errors.Invalid) as caught:
        parse_request(kind, encoded({**body, field: None}))

    assert caught.value.extra["field"] == field


BAD_TRAININGS = [
    ("features", {"features": []}),
    ("features", {"features": ["a", "a"]}),
    ("features", {"features": "a"}),
    ("features", {"features": 3}),
    ("features.exclude", {"features": {"a": 1}}),
    ("features.exclude", {"features": {"exclude": "a"}}),
    ("features.exclude.0", {"features": {"exclude": [""]}}),
    ("features", {"features": [f"c{i}" for i in range(10_001)]}),
    ("features.1", {"features": ["a", ""]}),
    ("features.0", {"features": ["x" * 257]}),
    ("features.0", {"features": [1]}),
    ("features.0", {"features": [None]}),
    ("target", {"target": "a"}),
    ("target", {"target": ""}),
    ("target", {"target": 1}),
    ("target", {"target": None}),
    ("estimator", {"estimator": "neural_network"}),
    ("estimator", {"estimator": ""}),
    ("params", {"params": []}),
    ("params", {"params": "max_depth=3"}),
    ("params", {"params": {str(i): i for i in range(101)}}),
    ("test_size", {"test_size": -0.1}),
    ("test_size", {"test_size": 1.5}),
    ("test_size", {"test_size": "0.2"}),
    ("test_size", {"test_size": True}),
    ("test_size", {"test_size": 0.2, "split": {"test_size": 0.2}}),
    ("split", {"split": "group"}),
    ("split.test_size", {"split": {"test_size": 1.5}}),
    ("split.random_state", {"split": {"random_state": -1}}),
    ("split.stratify", {"split": {"stratify": "yes"}}),
    ("split.time", {"split": {"time": "t"}}),
    ("split.time", {"split": {"time": "d", "group": "g"}}),
    ("cv", {"cv": "5"}),
    ("cv", {"cv": True}),
    ("cv.folds", {"cv": 1}),
    ("cv.folds", {"cv": 51}),
    ("cv.folds", {"cv": 2.5}),
    ("cv.repeats", {"cv": {"repeats": 0}}),
    ("cv.repeats", {"cv": {"folds": 50, "repeats": 3}}),
    ("cv.repeats", {"cv": {"repeats": 2}, "split": {"time": "d"}}),
    ("refit", {"refit": "yes"}),
    ("refit", {"refit": True, "test_size": 0}),
    ("refit", {"refit": False, "cv": 5}),
    ("sample_weight", {"sample_weight": "a"}),
    ("sample_weight", {"sample_weight": "t"}),
    ("split.group", {"sample_weight": "g", "split": {"group": "g"}}),
    ("sample_weight", {"sample_weight": "w", "estimator": "knn_regressor"}),
    ("sample_weight", {"sample_weight": 1}),
    ("model_id", {"model_id": "latest"}),
    ("model_id", {"model_id": "red~latest"}),
    ("model_id", {"model_id": "RED~m"}),
    ("model_id", {"model_id": f"{'x' * 33}~m"}),
    ("max_seconds", {"max_seconds": 0}),
    ("max_seconds", {"max_seconds": -1.5}),
    ("max_seconds", {"max_seconds": "60"}),
    ("max_seconds", {"max_seconds": True}),
    ("max_memory", {"max_memory": MIN_FIT_MEMORY - 1}),
    ("max_memory", {"max_memory": 1e9}),
    ("max_memory", {"max_memory": "1 GB"}),
    ("max_memory", {"max_memory": True}),
]


@pytest.mark.parametrize(("field", "changes"), BAD_TRAININGS)
def test_a_training_against_the_rules_is_refused_by_the_name_of_its_field(field, changes):
    with pytest.raises(errors.Invalid) as caught:
        parse_request(TrainRequest, encoded({**TRAINING, **changes}))

    assert caught.value.extra["field"] == field
    assert caught.value.detail.startswith(f"{field}: ")


@pytest.mark.parametrize("key", ["dataset_id", "target"])
def test_a_training_without_a_field_is_refused_by_its_name(key):
    body = {name: value for name, value in TRAINING.items() if name != key}

    with pytest.raises(errors.Invalid) as caught:
        parse_request(TrainRequest, encoded(body))

    assert caught.value.extra["field"] == key


def test_an_unknown_estimator_is_answered_with_the_list():
    with pytest.raises(errors.Invalid) as caught:
        parse_request(TrainRequest, encoded({**TRAINING, "estimator": "neural_network"}))

    for name in ESTIMATORS:
        assert name in caught.value.detail


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (TrainRequest, {**TRAINING, "params": {"x": "?"}}),
        (PredictRequest, {**PREDICTION, "input_data": {"x": "?"}}),
        (PredictRequest, {**PREDICTION, "input_data": [{"x": "?"}]}),
    ],
)
@pytest.mark.parametrize("opened", ["[", '{"x":'])
@pytest.mark.parametrize("depth", [5, 50, 61, 64, 253, 254, 255, 256, 300, 900])
def test_what_is_nested_deep_is_refused_or_can_be_sent_on(kind, body, opened, depth):
    closed = "]" if opened == "[" else "}"
    nested = json.dumps(body).replace('"?"', opened * depth + "1" + closed * depth)
    try:
        request = parse_request(kind, nested.encode())
    except errors.Invalid as error:
        refused = error
    else:
        refused = None
        assert parse_request(kind, request.encode()) == request

    assert (refused is None) == (depth <= 61)
    assert refused is None or len(refused.detail) < 1000


BAD_PREDICTIONS = [
    ("input_data", {"input_data": []}),
    ("input_data", {"input_data": None}),
    ("input_data", {"input_data": "x"}),
    ("input_data", {"input_data": 1}),
    ("input_data.0", {"input_data": [1]}),
    ("input_data.1", {"input_data": [{}, None]}),
    ("extra", {"extra": "allow"}),
    ("extra", {"extra": True}),
]


@pytest.mark.parametrize(
    ("params", "same"),
    [
        ({"b": [1, 2], "a": {"d": 1, "c": None}}, True),
        ({"b": [2, 1], "a": {"d": 1, "c": None}}, False),
        ({"b": [1.0, 2], "a": {"d": 1, "c": None}}, False),
        ({"b": [1, 2], "a": {"d": True, "c": None}}, False),
        ({"b": [1, 2], "a": {"d": 1}}, False),
    ],
)
def test_two_trainings_ask_the_same_in_whatever_order_they_are_written(params, same):
    asked = {"dataset_id": "d", "features": ["a"], "target": "t"}
    first = TrainRequest(**asked, model_id="m", params={"a": {"c": None, "d": 1}, "b": [1, 2]})

    assert first.asks_the_same(TrainRequest(**asked, params=params)) is same


@pytest.mark.parametrize(("field", "changes"), BAD_PREDICTIONS)
def test_a_prediction_against_the_rules_is_refused_by_the_name_of_its_field(field, changes):
    with pytest.raises(errors.Invalid) as caught:
        parse_request(PredictRequest, encoded({**PREDICTION, **changes}))

    assert caught.value.extra["field"] == field
    assert caught.value.detail.startswith(f"{field}: ")


@pytest.mark.parametrize("key", PREDICTION)
def test_a_prediction_without_a_field_is_refused_by_its_name(key):
    body = {name: value for name, value in PREDICTION.items() if name != key}

    with pytest.raises(errors.Invalid) as caught:
        parse_request(PredictRequest, encoded(body))

    assert caught.value.extra["field"] == key


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"true"])
@pytest.mark.parametrize("kind", [TrainRequest, PredictRequest, TrainingSpec])
def test_a_request_that_is_no_object_is_refused(kind, body):
    with pytest.raises(errors.Invalid) as caught:
        parse_request(kind, body)

    assert caught.value.extra["field"] == "body"


@pytest.mark.parametrize(("kind", "body"), [(TrainRequest, TRAINING), (PredictRequest, PREDICTION)])
def test_unknown_keys_of_a_message_are_ignored(kind, body):
    request = parse_request(kind, encoded({**body, "of_tomorrow": {"a": 1}}))

    asked = request.model_copy(update={"unknown_keys": None} if kind is TrainRequest else {})
    assert asked == parse_request(kind, encoded(body))
    assert b"of_tomorrow" not in asked.encode()


def test_a_training_has_the_defaults_of_the_design():
    request = parse_request(TrainRequest, encoded(TRAINING))

    assert request.estimator is request.params is request.calibrate is request.types is None
    assert request.defaults == "by-estimator"
    assert request.test_size is request.split is request.cv is request.refit is None
    assert request.resolved_split == Split(test_size=0.2)
    assert not request.refits
    assert request.sample_weight is request.preprocessing is request.target_transform is None
    assert request.max_seconds is request.max_memory is None
    assert request.model_id is None


@pytest.mark.parametrize(
    ("changes", "size", "refits"),
    [
        ({"test_size": 0}, 0, False),
        ({"split": {"test_size": 0.0}}, 0, False),
        ({"split": {"test_size": 30.0}}, 30, False),
        ({"cv": 5}, 0, True),
        ({"cv": 5, "test_size": 0.1}, 0.1, True),
        ({"cv": 5, "split": {"test_size": 0.1}, "refit": False}, 0.1, False),
        ({"refit": True}, 0.2, True),
    ],
)
def test_which_rows_test_and_whether_the_model_learns_from_them(changes, size, refits):
    request = parse_request(TrainRequest, encoded({**TRAINING, **changes}))

    assert request.resolved_split.test_size == size
    assert request.refits is refits


@pytest.mark.parametrize("features", [None, {"exclude": []}, {"exclude": ["t", "c"]}])
def test_features_may_be_left_out_or_be_all_but_some(features):
    request = parse_request(TrainRequest, encoded({**TRAINING, "features": features}))

    assert parse_request(TrainRequest, request.encode()) == request


def test_more_rows_than_may_be_are_too_large_and_the_limit_is_named():
    most = [{"a": 1}] * MAX_ROWS
    assert (
        len(parse_request(PredictRequest, encoded({**PREDICTION, "input_data": most})).rows)
        == MAX_ROWS
    )

    with pytest.raises(errors.TooLarge) as caught:
        parse_request(PredictRequest, encoded({**PREDICTION, "input_data": [*most, {}]}))

    assert caught.value.extra == {"field": "input_data", "limit": 10_000}
    assert caught.value.detail.startswith("input_data: ")
    assert "10000" in caught.value.detail


def test_the_inputs_of_a_prediction_are_encoded_without_what_else_it_has():
    asked = {**PREDICTION, "extra": "ignore", "job_id": "mine"}

    plain, ignoring = (parse_request(PredictRequest, encoded(body)) for body in (PREDICTION, asked))

    assert loads(plain.encode_inputs().encode()) == {"input_data": {"a": 1.5}}
    assert loads(ignoring.encode_inputs().encode()) == {
        "input_data": {"a": 1.5},
        "extra": "ignore",
    }


def test_one_row_and_many_rows_read_alike():
    one = parse_request(PredictRequest, encoded({**PREDICTION, "input_data": {"a": 1}}))
    many = parse_request(
        PredictRequest, encoded({**PREDICTION, "input_data": [{"a": 1}, {"a": 2}]})
    )

    assert one.rows == [{"a": 1}]
    assert many.rows == [{"a": 1}, {"a": 2}]
