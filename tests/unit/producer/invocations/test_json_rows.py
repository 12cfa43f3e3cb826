"""Rows from JSON: every wrapper gives the same rows."""

import json
from typing import Any

import pytest

from app import errors
from app.producer.invocations.json_rows import has_lists, read_rows, unwrap
from app.producer.invocations.model_inputs import ModelInputs
from app.producer.invocations.rows import InputRows

MODEL = ModelInputs("m", {"a": "number", "b": "text"})
ONE = ModelInputs("m", {"a": "number"})
IMAGES = ModelInputs("m", {}, images=True)
LONG = "x" * 10_000  # the name of a column
UNKNOWN = ModelInputs("m", None)
X, Y = {"a": 1, "b": "x"}, {"a": 2, "b": None}
DEEP = json.loads("[" * 62 + "1" + "]" * 62)
SPLIT = {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]}


def read(wire: Any, model: ModelInputs = MODEL) -> InputRows:
    field, rows, _ = unwrap(wire)
    return read_rows(field, rows, model)


@pytest.mark.parametrize(
    "wire",
    [
        {"instances": [X, Y]},
        {"instances": [[1, "x"], [2, None]]},
        {"instances": [{"features": [1, "x"]}, [2, None]]},
        {"instances": [{"data": {"features": {"values": [1, "x"]}}}, Y]},
        {"inputs": [X, Y]},
        {"inputs": [[1, "x"], [2, None]]},
        {"inputs": {"a": [1, 2], "b": ["x", None]}},
        {"dataframe_records": [X, Y]},
        {"dataframe_split": {"columns": ["b", "a"], "data": [["x", 1], [None, 2]]}},
        {"dataframe_split": {"index": [7, 8], **SPLIT}},
        SPLIT,
        {"index": [0, 1], **SPLIT},
        {"input_data": [[1, "x"], [2, None]]},
        [[1, "x"], [2, None]],
        [X, [2, None]],
    ],
)  # fmt: skip
def test_two_rows(wire: Any) -> None:
    found = read(wire)
    assert [json.loads(row) for row in found.rows] == [X, Y]
    assert found.many


@pytest.mark.parametrize(
    "wire",
    [[1, "x"], {"inputs": [1, "x"]}, {"inputs": {"a": 1, "b": "x"}}, {"instances": X}],
)
def test_a_single_row(wire: Any) -> None:
    found = read(wire)
    assert [json.loads(row) for row in found.rows] == [X]
    assert not found.many


@pytest.mark.parametrize("wire", [[1, 2], {"instances": [1, 2]}, {"inputs": [1, 2]}])
def test_single_values_are_the_rows_of_a_model_with_one_column(wire: Any) -> None:
    assert read(wire, ONE).rows == ['{"a":1}', '{"a":2}']


@pytest.mark.parametrize("wire", [["/9j/"], {"instances": ["/9j/"]}, {"inputs": [{"b64": "/9j/"}]}])
def test_images(wire: Any) -> None:
    found = read(wire, IMAGES)
    assert found.rows == ['"/9j/"']
    assert found.images


def test_columns_that_pandas_counts_are_named_by_their_numbers() -> None:
    wire = {"dataframe_split": {"columns": [0, 1], "data": [[5, 6]]}}
    assert read(wire).rows == ['{"0":5,"1":6}']


@pytest.mark.parametrize(
    ("wire", "field", "beside"),
    [
        ({"instances": [X], "model_id": "m"}, "instances", {"model_id": "m"}),
        ({"columns": ["a"], "data": [[1]], "job_id": "j"}, "data", {"job_id": "j"}),
        ({"input_data": X, "model_id": "m"}, "input_data", {"model_id": "m"}),
        ({"image_data": "/9j/"}, "input_data", {"image_data": "/9j/"}),
        # Columns of a row may have the names of wrappers.
        ({"instances": 1, "inputs": "text"}, "input_data", {}),
        ({"columns": 3, "data": 4}, "input_data", {}),
        (X, "input_data", {}),
        ([X], "input_data", {}),
        (1, "input_data", {}),
    ],
)
def test_the_wrapper_and_the_keys_beside_it(wire: Any, field: str, beside: Any) -> None:
    found = unwrap(wire)
    assert (found.field, found.beside) == (field, beside)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([[1]], True), ([1, 2], True), ([X, [1]], True), ([X], False), ([], False), (X, False),
     ([X, 1], False), (None, False), ("x", False)],
)  # fmt: skip
def test_lists_in_the_order_of_the_model(rows: Any, expected: bool) -> None:
    assert has_lists(rows) is expected


@pytest.mark.parametrize(
    ("wire", "model", "field", "said"),
    [
        ({"instances": []}, MODEL, "instances", "must not be empty"),
        ({"instances": [X], "inputs": [X]}, MODEL, "inputs", "give either this or instances"),
        ({"instances": [[1]]}, MODEL, "instances.0", "has 1 value, but model m takes 2: a, b"),
        ({"instances": [X, 1]}, MODEL, "instances.1", "must be an object or a list of values"),
        ({"instances": [X, [1, 2, 3]]}, MODEL, "instances.1", "has 3 values, but model m takes 2"),
        ([1, 2, 3], MODEL, "input_data", "has 3 values, but model m takes 2: a, b"),
        ([[1, 2]], UNKNOWN, "input_data.0", "the order of the columns of model m is not known"),
        ([[1, 2]], IMAGES, "input_data.0", "must be an image in base64"),
        ({"instances": ["/9j/", ""]}, IMAGES, "instances.1", "must not be empty"),
        ({"instances": [{"b64": "/9j/", "a": 1}]}, IMAGES, "instances.0", "must be an image"),
        ({"instances": [{"a": DEEP}]}, MODEL, "instances.0", "is nested deeper than 62 levels"),
        ([[1, DEEP]], MODEL, "input_data.0", "is nested deeper than 62 levels"),
        ({"inputs": {"a": [1, 2], "b": [1]}}, MODEL, "inputs.b", "has 1, but inputs.a has 2"),
        ({"inputs": {"a": [1, 2], "b": 1}}, MODEL, "inputs.b", "must be a list"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, MODEL,
         "dataframe_split.data.1", "has 2 values, but dataframe_split.columns has 1: a"),
        ({"columns": ["a"], "data": [[1, 2]]}, MODEL, "data.0", "has 2 values, but columns has 1"),
        ({"dataframe_split": {"columns": ["a"], "data": [1]}}, MODEL,
         "dataframe_split.data.0", "must be a list of values"),
        ({"dataframe_split": {"data": [[1]]}}, MODEL, "dataframe_split.columns", "is missing"),
        ({"dataframe_split": {"columns": "a", "data": [[1]]}}, MODEL,
         "dataframe_split.columns", "must be a list"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 1]]}}, MODEL,
         "dataframe_split.columns", "given more than once: a"),
        ({"dataframe_split": {"columns": [None], "data": [[1]]}}, MODEL,
         "dataframe_split.columns.0", "must be a string"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]], "odd": 1}}, MODEL,
         "dataframe_split.odd", "this key is not known"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]], LONG: 1}}, MODEL,
         f"dataframe_split.{LONG[:256]}…", "this key is not known"),
        ({"inputs": {"a": [1, 2], LONG: 1}}, MODEL, f"inputs.{LONG[:256]}…", "must be a list"),
        ({"inputs": {LONG: [1, 2], "a": [1]}}, MODEL,
         "inputs.a", f"has 1, but inputs.{LONG[:256]}… has 2 values"),
        ({"dataframe_split": [[1]]}, MODEL, "dataframe_split", "must be an object"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_read(wire: Any, model: ModelInputs, field: str, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        read(wire, model)
    assert caught.value.extra["field"] == field
    assert caught.value.message.startswith(said)
