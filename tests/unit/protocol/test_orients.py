import pandas as pd
import pytest

from app import errors
from app.protocol.requests import PredictRequest
from app.protocol.types import MAX_ROWS
from app.protocol.validation import validate

ROWS = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
FRAME = pd.DataFrame(ROWS, dtype=object)
SPLIT = {"columns": ["a", "b"], "data": [[1, "x"], [None, "y"]]}


def parsed(**members):
    return validate(PredictRequest, {"model_id": "m", **members})


@pytest.mark.parametrize(
    "members",
    [
        {"input_data": ROWS},
        {"input_data": FRAME.to_dict("records")},
        {"input_data": FRAME.to_dict("split")},
        {"input_data": FRAME.to_dict("list")},
        {"input_data": SPLIT},
        SPLIT,
        {**SPLIT, "index": [7, 9]},
    ],
    ids=["rows", "records", "split", "list", "columns", "in the body", "with an index"],
)
def test_each_orient_of_a_data_frame_holds_the_same_rows(members):
    inputs = parsed(**members)

    assert inputs.rows == ROWS
    assert inputs.many


def test_rows_may_be_lists_of_values():
    assert parsed(input_data=[[1, "x"], [None, "y"]]).rows == [[1, "x"], [None, "y"]]


@pytest.mark.parametrize(
    "row",
    [
        {"columns": 1, "data": 2},
        {"data": "x"},
        {"columns": ["a"], "data": 5},
        {"columns": ["a"], "data": [[1]], "other": 1},
        {"a": [1], "b": 2},
    ],
)
def test_a_row_is_no_orient_because_of_its_names(row):
    assert parsed(input_data=row).rows == [row]


def test_a_list_for_each_feature_may_be_named_columns_and_data():
    inputs = parsed(input_data={"columns": ["x"], "data": [1]})

    assert inputs.rows == [{"columns": "x", "data": 1}]


@pytest.mark.parametrize(
    ("members", "field", "said"),
    [
        (
            {"input_data": {"columns": ["a", "b"], "data": [[1, 2], [1]]}},
            "input_data",
            "row 1 of data has 1 value, and columns has 2 names",
        ),
        ({"input_data": {"columns": ["a", "a"], "data": [[1, 2]]}}, "input_data", '"a" is there'),
        ({"input_data": {"columns": [0], "data": [[1]]}}, "input_data", "name 0 must be a string"),
        (
            {"input_data": {"a": [1, 2], "b": [1]}},
            "input_data",
            'column "b" has 1 value, and "a" has 2',
        ),
        ({"columns": ["a"], "data": [[1, 2]]}, "input_data", "row 0 of data has 2 values"),
        ({"input_data": {"columns": ["a"], "data": []}}, "input_data", "must not be empty"),
        ({"input_data": [[1], {"a": 1}]}, "input_data.1", "must be a list"),
        ({"input_data": [{"a": 1}, [1]]}, "input_data.1", "must be an object"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_its_field(members, field, said):
    with pytest.raises(errors.Invalid) as caught:
        parsed(**members)

    assert caught.value.extra["field"] == field
    assert said in caught.value.detail


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": [1] * (MAX_ROWS + 1)},
        {"columns": ["a"], "data": [[1]] * (MAX_ROWS + 1)},
        [[1]] * (MAX_ROWS + 1),
    ],
    ids=["list", "split", "lists"],
)
def test_a_table_has_as_many_rows_as_a_list_of_rows_may_have(inputs):
    with pytest.raises(errors.TooLarge) as caught:
        parsed(input_data=inputs)

    assert caught.value.extra["limit"] == MAX_ROWS
