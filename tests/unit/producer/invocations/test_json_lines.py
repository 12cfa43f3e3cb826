"""Rows from JSON lines."""

import json
from typing import Any

import pytest

from app import errors
from app.producer.invocations.json_lines import read_json_lines
from app.producer.invocations.model_inputs import ModelInputs

MODEL = ModelInputs("m", {"a": "number", "b": "text"})
IMAGES = ModelInputs("m", {}, images=True)
ROW = {"a": 1, "b": "x"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "b": "x"}',
        b'{"a": 1, "b": "x"}\n',
        b'{"a": 1, "b": "x"}\r\n\r\n',
        b'\xef\xbb\xbf{"b": "x", "a": 1}\n \n',
        b'[1, "x"]\n',
        b'{"features": [1, "x"]}\n',
        b'{"data": {"features": {"values": [1, "x"]}}}\n',
    ],
)
def test_a_row(body: bytes) -> None:
    read = read_json_lines(body, MODEL)
    assert [json.loads(row) for row in read.rows] == [ROW]
    assert list(read.lines or ()) == [1]


def test_the_images_of_a_model_that_takes_them() -> None:
    read = read_json_lines(b'"/9j/"\n{"b64": "/9j/"}\n{"image_data": "/9j/"}', IMAGES)
    assert read.rows == ['"/9j/"'] * 3
    assert read.images


@pytest.mark.parametrize(
    ("body", "said", "line"),
    [
        (b"", "body: empty; expected JSON lines", None),
        (b"\n\n", "body: empty; expected JSON lines", None),
        (b"[1, 2]\n{", "body: not valid JSON: line 2, column 2: the text ends", 2),
        (b'{"a": NaN}', "body: line 1: not valid JSON", 1),
        (b'{"a": 1, "a": 1}', "body: line 1: not valid JSON", 1),
        (b"[1, 2]\n\n[1, 2]", "body: line 2: is empty", 2),
        (b"[1]", "body: line 1: has 1 value, but model m takes 2: a, b", 1),
        (b"1", "body: line 1: must be an object or a list of values", 1),
        (b"[1, 2][1, 2]", "body: not valid JSON: line 1, column 7", 1),
        (b'[1, 2]\n"\xfc"', "body: not valid JSON: line 2 has the byte FC", 2),
    ],
)
def test_lines_that_cannot_be_read(body: bytes, said: str, line: Any) -> None:
    with pytest.raises(errors.Invalid) as caught:
        read_json_lines(body, MODEL)
    assert caught.value.detail.startswith(said)
    assert caught.value.extra.get("line") == line
