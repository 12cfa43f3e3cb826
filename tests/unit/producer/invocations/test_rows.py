"""Rows in messages: how they are split, and where an error of a message stands in the request."""

import json

import pytest

from app import errors
from app.producer.invocations.rows import PIECE_BYTES, InputRows
from app.protocol.types import MAX_IMAGES, MAX_ROWS


@pytest.mark.parametrize(
    ("rows", "images", "expected"),
    [
        (["{}"], False, [range(1)]),
        (["{}"] * MAX_ROWS, False, [range(MAX_ROWS)]),
        (["{}"] * (MAX_ROWS + 1), False, [range(MAX_ROWS), range(MAX_ROWS, MAX_ROWS + 1)]),
        (['""'] * (MAX_IMAGES + 1), True, [range(MAX_IMAGES), range(MAX_IMAGES, MAX_IMAGES + 1)]),
        (["x" * (PIECE_BYTES // 2)] * 3, False, [range(2), range(2, 3)]),
        (["x" * (2 * PIECE_BYTES)] * 2, False, [range(1), range(1, 2)]),
    ],
)
def test_pieces(rows: list[str], images: bool, expected: list[range]) -> None:
    assert list(InputRows(rows, "body", images=images).pieces()) == expected


def test_the_inputs_of_a_message() -> None:
    rows = InputRows(['{"a":1}', '{"a":2}', '{"a":3}'], "instances")
    assert json.loads(rows.message(range(1, 3))) == {"input_data": [{"a": 2}, {"a": 3}]}
    assert json.loads(InputRows(['{"a":1}'], "body", many=False).message(range(1))) == {
        "input_data": {"a": 1}
    }
    assert json.loads(InputRows(['"/9j/"'], "body", images=True).message(range(1))) == {
        "image_data": ["/9j/"]
    }


LISTED = InputRows(["{}"] * 5, "instances")
SINGLE = InputRows(["{}"], "inputs", many=False)
LINES = InputRows(["{}"] * 5, "body", lines=[2, 3, 7, 8, 9])


@pytest.mark.parametrize(
    ("rows", "field", "first", "located", "detail"),
    [
        (LISTED, "input_data.1.age", 2, "instances.3.age", "instances.3.age: expected x"),
        (LISTED, "input_data.1.a.b", 0, "instances.1.a.b", "instances.1.a.b: expected x"),
        (LISTED, "input_data.1", 2, "instances.3", "instances.3: expected x"),
        (LISTED, "input_data", 2, "instances", "instances: expected x"),
        # Consumers of an older version name no row.
        (LISTED, "input_data.age", 2, "instances.age", "instances.age: expected x"),
        (LINES, "input_data.9", 0, "body.9", "body.9: expected x"),
        (LISTED, "model_id", 2, "model_id", "model_id: expected x"),
        (SINGLE, "input_data.age", 0, "inputs.age", "inputs.age: expected x"),
        (SINGLE, "input_data", 0, "inputs", "inputs: expected x"),
        (LINES, "input_data.0.age", 2, "body", "body: line 7, column age: expected x"),
        (LINES, "input_data.1", 0, "body", "body: line 3: expected x"),
        (LINES, "input_data", 0, "body", "body: expected x"),
    ],
)
def test_where_an_error_stands(
    rows: InputRows, field: str, first: int, located: str, detail: str
) -> None:
    found = rows.located(errors.Invalid(field, "expected x", limit=3), first)
    assert isinstance(found, errors.Invalid)
    assert (found.extra["field"], found.detail) == (located, detail)
    assert found.extra["limit"] == 3


def test_a_line_and_a_column_are_told_apart() -> None:
    found = LINES.located(errors.Invalid("input_data.2.age", "expected x"), 0)
    assert found.extra == {"field": "body", "line": 7, "column": "age"}
