"""Predictions as JSON, CSV and JSON lines."""

import json
from typing import Any

import pytest

from app.producer.invocations.answers import Answers
from app.protocol.replies import Predicted

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
LABELS = [{"a": 0.25, "b": 0.75}, {"a": 1.0, "b": 0.0}]
NUMBERS = Answers("m", {"prediction": [1.5, 2], "pred_proba": [1.5, 2]})
TEXTS = Answers("m", {"prediction": ["b", "a"], "pred_proba": LABELS})
BARE = Answers("m", {"prediction": [{"x": [1]}, None]})


@pytest.mark.parametrize(
    ("answers", "form", "wrapped", "expected"),
    [
        (NUMBERS, JSON, True, {"predictions": [1.5, 2]}),
        (TEXTS, JSON, True, {"predictions": ["b", "a"]}),
        (TEXTS, JSON, False, {"status": "TASK_COMPLETED", "model_id": "m",
                              "prediction": ["b", "a"], "pred_proba": LABELS}),
        (BARE, JSON, False, {"status": "TASK_COMPLETED", "model_id": "m",
                             "prediction": [{"x": [1]}, None]}),
    ],
)  # fmt: skip
def test_json(answers: Answers, form: str, wrapped: bool, expected: Any) -> None:
    assert json.loads(answers.encode(form, wrapped=wrapped, many=True)) == expected


@pytest.mark.parametrize(
    ("answers", "form", "expected"),
    [
        (NUMBERS, CSV, b"1.5\n2\n"),
        (TEXTS, CSV, b"b\na\n"),
        (Answers("m", {"prediction": [True, False]}), CSV, b"true\nfalse\n"),
        (Answers("m", {"prediction": ["a,b", "", 'say "hi"', "größe"]}), CSV,
         '"a,b"\n""\n"say ""hi"""\ngröße\n'.encode()),
        (BARE, CSV, b'"{""x"":[1]}"\nnull\n'),
        (TEXTS, LINES, b'{"prediction":"b","pred_proba":{"a":0.25,"b":0.75}}\n'
                       b'{"prediction":"a","pred_proba":{"a":1.0,"b":0.0}}\n'),
        (BARE, "application/x-ndjson", b'{"prediction":{"x":[1]}}\n{"prediction":null}\n'),
    ],
)  # fmt: skip
def test_lines(answers: Answers, form: str, expected: bytes) -> None:
    assert answers.encode(form, wrapped=True, many=True) == expected


def test_a_single_prediction_is_no_list_without_a_wrapper() -> None:
    answers = Answers.of([Predicted("m", prediction="b", pred_proba=LABELS[0])], many=False)
    whole = json.loads(answers.encode(JSON, wrapped=False, many=False))
    assert (whole["prediction"], whole["pred_proba"]) == ("b", LABELS[0])
    assert json.loads(answers.encode(JSON, wrapped=True, many=False)) == {"predictions": ["b"]}
    assert answers.encode(CSV, wrapped=False, many=False) == b"b\n"


def test_the_replies_to_several_messages_are_joined() -> None:
    replies = [
        Predicted("m", prediction=[1, 2], pred_proba=[1, 2], outputs=[{"y": 1}, {"y": 2}]),
        Predicted("m", prediction=[3], pred_proba=[3], outputs=[{"y": 3}]),
    ]
    joined = Answers.of(replies, many=True)
    assert joined.members == {
        "prediction": [1, 2, 3],
        "pred_proba": [1, 2, 3],
        "outputs": [{"y": 1}, {"y": 2}, {"y": 3}],
    }
    last = joined.encode(LINES, wrapped=True, many=True).splitlines()[-1]
    assert json.loads(last) == {"prediction": 3, "pred_proba": 3, "outputs": {"y": 3}}
    without = [*replies, Predicted("m", prediction=[4])]
    assert Answers.of(without, many=True).members == {"prediction": [1, 2, 3, 4]}
