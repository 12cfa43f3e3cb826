"""The forms of a request: which bodies go to the model as they are, and which are read first."""

import json
from typing import Any

import pytest

from app import errors
from app.producer.invocations.invocation_request import parse_invocation
from app.protocol.types import MAX_ROWS

JSON = "application/json"
ROW = {"a": 1}


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        (ROW, {"input_data": ROW}),
        ([ROW, ROW], {"input_data": [ROW, ROW]}),
        ({"input_data": ROW, "model_id": "m"}, {"input_data": ROW, "model_id": "m"}),
        ({"image_data": "/9j/"}, {"input_data": None, "image_data": "/9j/"}),
        ([], {"input_data": []}),
        (1, {"input_data": 1}),
    ],
)
def test_the_form_of_predict_is_passed_on(body: Any, plain: Any) -> None:
    call = parse_invocation(JSON, None, json.dumps(body).encode())
    assert call.plain == plain
    assert not call.wrapped


@pytest.mark.parametrize(
    ("body", "wrapped"),
    [
        ([1], False),
        ([[1]], False),
        ({"input_data": [[1]]}, False),
        ([ROW] * (MAX_ROWS + 1), False),
        ({"instances": [ROW]}, True),
    ],
)
def test_other_rows_are_read_first(body: Any, wrapped: bool) -> None:
    call = parse_invocation(JSON, None, json.dumps(body).encode())
    assert call.plain is None
    assert call.wrapped is wrapped


@pytest.mark.parametrize("kind", ["text/csv", "application/x-ndjson"])
def test_csv_and_json_lines_are_read_first(kind: str) -> None:
    call = parse_invocation(kind, None, b"1\n")
    assert (call.plain, call.wrapped) == (None, True)


def test_the_bytes_of_an_image_become_base64() -> None:
    plain = parse_invocation("image/png", None, b"\xff\xd8").plain
    assert plain == {"input_data": None, "image_data": "/9g="}


def test_a_row_that_is_too_deep_for_a_message_is_refused() -> None:
    deep = b'{"a":' * 64 + b"1" + b"}" * 64
    with pytest.raises(errors.Invalid, match="input_data: is nested deeper than 63 levels"):
        parse_invocation(JSON, None, deep)
