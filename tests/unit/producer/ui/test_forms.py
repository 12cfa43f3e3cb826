"""The forms: what a job asked for becomes fields, and fields become the same request."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import Request

from app import errors
from app.producer.schemas.models import Metadata, TakenFeature
from app.producer.ui.comparison import differing_rows
from app.producer.ui.formats import markdown, number, percent, plain, pretty, seconds, size
from app.producer.ui.forms import read_form
from app.producer.ui.refresh_pace import PACES, RefreshPace
from app.producer.ui.row_form import has_fields, inputs_of, sample_values
from app.producer.ui.train_form import fields_of, request_of
from app.protocol.types import URLENCODED_MEDIA_TYPE


@pytest.mark.parametrize(
    "asked",
    [
        {"dataset_id": "d", "target": "t"},
        {"dataset_id": "d", "target": "t", "features": ["a", "<b>"], "cv": 5, "tags": ["x", "y"]},
        {"dataset_id": "d", "features": {"exclude": ["a"]}, "test_size": 0.25},
        {"dataset_id": "d", "target": "t", "params": {"max_depth": 3}, "estimator": "ridge"},
        {"dataset_id": "d", "target": "t", "cv": {"folds": 3, "repeats": 2}, "refit": False},
        {"dataset_id": "d", "target": "t", "split": {"time": "day"}, "types": {"zip": "category"}},
        {"dataset_id": "d", "target": "t", "test_size": 1_234_567},
    ],
)
def test_the_fields_of_a_request_ask_for_the_same(asked: dict[str, Any]) -> None:
    assert request_of(fields_of({**asked, "model_id": "m", "defaults": "by-estimator"})) == asked


def test_json_in_a_field_has_the_bounds_of_a_body() -> None:
    with pytest.raises(errors.Invalid, match=r"params: .* more than 500000 values"):
        request_of({"params": [f'{{"a": [{"1," * 500_000}1]}}']})


def test_names_of_columns_keep_their_blanks_and_typed_ones_do_not() -> None:
    sent = urlencode({"dataset_id": " d ", "target": " t", "features": " a", "tags": " "}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent}

    request = Request(
        {"type": "http", "headers": [(b"content-type", URLENCODED_MEDIA_TYPE.encode())]}, receive
    )
    form = asyncio.run(read_form(request))

    assert request_of(form) == {"dataset_id": "d", "target": " t", "features": [" a"]}


INPUTS = Metadata(
    model_id="m",
    kind="trained",
    inputs=[
        TakenFeature(name="<a>", type="number"),
        TakenFeature(name="b", type="boolean", nullable=True),
        TakenFeature(name="c", type="text"),
        TakenFeature(name="d", type="date"),
    ],
    prediction="number",
    sample={"input_data": {"<a>": 1.5, "b": True, "c": "x", "d": "2020-01-01"}},
)


def test_the_sample_in_the_fields_is_the_sample_again() -> None:
    form = {name: [value] for name, value in sample_values(INPUTS).items()}

    assert inputs_of(INPUTS, form) == INPUTS.sample


def test_a_whole_number_of_the_sample_has_no_decimals() -> None:
    whole = INPUTS.model_copy(update={"sample": {"input_data": {"<a>": 1962.0}}})

    assert sample_values(whole)["f0"] == "1962"


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("f0", "-3", -3),
        ("f0", "1e-3", 0.001),
        ("f1", "false", False),
        ("f2", " x", " x"),
        ("f3", " x", "x"),
    ],
)
def test_a_value_is_read_as_its_column_has_it(field: str, text: str, value: Any) -> None:
    row = inputs_of(INPUTS, {"f0": ["1"], field: [text]})["input_data"]

    name = ["<a>", "b", "c", "d"][int(field[1])]
    assert (row[name], type(row[name])) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "text", "wrong"),
    [
        ("f0", "1,5", "<a>: must be a number, with a point for its decimals"),
        ("f0", "nan", "<a>: must be a number, with a point for its decimals"),
        ("f0", "1e999", "<a>: must be a number, with a point for its decimals"),
        ("f1", "yes", "b: must be true or false"),
    ],
)
def test_a_wrong_value_names_its_column(field: str, text: str, wrong: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        inputs_of(INPUTS, {field: [text]})
    assert refused.value.detail == wrong


def test_an_empty_field_is_missing_or_an_empty_text() -> None:
    assert inputs_of(INPUTS, {})["input_data"] == {"<a>": None, "b": None, "c": "", "d": None}


def test_a_model_of_unknown_inputs_takes_json() -> None:
    unknown = INPUTS.model_copy(update={"inputs": None, "sample": None})

    assert not has_fields(unknown)
    assert inputs_of(unknown, {"json": ['{"input_data": {"a": 1}, "model_id": "other"}']}) == {
        "input_data": {"a": 1}
    }
    for wrong in ("", "[]", "{"):
        with pytest.raises(errors.Invalid, match="json"):
            inputs_of(unknown, {"json": [wrong]})


def test_only_what_differs_is_compared_with_metrics_first() -> None:
    first = {"model_id": "a", "params": {"alpha": 1, "x": 2}, "metrics": {"r2": 0.5}}
    second = {"model_id": "b", "params": {"alpha": 1.0, "x": 3}, "metrics": {"r2": 0.25, "mae": 1}}

    rows = differing_rows([first, second])

    assert [(row.name, row.values) for row in rows] == [
        ("metrics.r2", ["0.5", "0.25"]),
        ("metrics.mae", ["", "1"]),
        ("params.alpha", ["1", "1"]),
        ("params.x", ["2", "3"]),
    ]
    assert len(differing_rows([first, first])) == 0
    assert len(differing_rows([first, first], everything=True)) == 3


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("pages", "slowest"), [(1, 3), (30, 3), (70, 6), (200, 30), (5000, 60)])
def test_many_open_pages_slow_down_and_few_are_quick_again(pages: int, slowest: int) -> None:
    clock = Clock()
    pace = RefreshPace(clock)

    def open_for(seconds: int, pages: int) -> None:
        left = 0.0
        for _ in range(seconds):
            clock.now += 1
            left += pages / pace.seconds
            while left >= 1:
                left -= 1
                pace.count()

    open_for(120, pages)
    assert pace.seconds == slowest
    open_for(400, 1)
    clock.now += 60
    pace.count()
    assert pace.seconds == PACES[0]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (number(0.1234567), "0.12346"),
        (number(1234567), "1,234,567"),
        (number(2.0), "2"),
        (number(455600.71), "455,601"),
        (plain(1919.0), "1919"),
        (plain(282011.3), "282011.3"),
        (plain("01.07.2023"), "01.07.2023"),
        (number(1e300), "1e+300"),
        (number(10**399), "1" + ",000" * 14 + ",00…"),
        (number(float("nan")), "not a number"),
        (number(value=True), "true"),
        (number(None), "-"),
        (number("x" * 100), "x" * 60 + "…"),
        (number("a\u202egpj.exe"), r"a\u202egpj.exe"),
        (pretty(["\u2066é"]), '[\n  "\\u2066é"\n]'),
        (size(999), "999 B"),
        (size(1_234_567), "1.23 MB"),
        (seconds(3.14), "3.1 s"),
        (seconds(3_700), "1 h 1 min"),
        (percent(0.999), "99 %"),
        (markdown("a|b*<i>\n#"), r"a\|b\*&lt;i&gt; \#"),
    ],
)
def test_values_are_written_for_people(shown: str, text: str) -> None:
    assert str(shown) == text
