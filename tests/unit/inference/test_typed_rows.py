import numpy as np
import pandas as pd
import pytest

from app.inference.table_layout import ScoredColumn
from app.inference.typed_rows import read_rows


def texts(*cells):
    return pd.Series(cells, dtype="str")


def column(kind, **more):
    return ScoredColumn(name="c", kind=kind, **{"nullable": True, **more})


NAN = float("nan")


@pytest.mark.parametrize(
    ("cells", "feature", "wanted"),
    [
        (pd.Series([1.5, NAN]), column("number"), [1.5, NAN]),
        (pd.Series([1, 2]), column("number"), [1.0, 2.0]),
        (texts("1.5", "n/a", None), column("number"), [1.5, NAN, NAN]),
        (texts("-999.0", "7"), column("number", missing=["-999"]), [NAN, 7.0]),
        (pd.Series([True, False]), column("boolean"), [1.0, 0.0]),
        (pd.Series([0, 1]), column("boolean"), [0.0, 1.0]),
        (pd.Series([1.0, NAN]), column("boolean"), [1.0, NAN]),
        (texts("yes", "F", None), column("boolean"), [1.0, 0.0, NAN]),
        (texts("1970-01-02", "1970-01-01T12:00:00Z", ""), column("date"), [1.0, 0.5, NAN]),
    ],
)
def test_numbers_booleans_and_dates_are_read_as_a_training_reads_them(cells, feature, wanted):
    rows = read_rows([cells], [feature])

    assert rows.problems.report() == []
    np.testing.assert_array_equal(rows.inputs["number"][:, 0], wanted)


@pytest.mark.parametrize(
    ("cells", "feature", "wanted"),
    [
        (texts("a", None), column("text"), ["a", ""]),
        (texts("a", "none"), column("text", missing=["none"]), ["a", ""]),
        (texts("1.0", "1", "01", None), column("category"), ["1", "1", "01", ""]),
        (pd.Series([1, 2]), column("category"), ["1", "2"]),
        (texts("-1", "a"), column("category", missing=["-1.0"]), ["", "a"]),
    ],
)
def test_texts_are_read_as_a_training_reads_them(cells, feature, wanted):
    rows = read_rows([cells], [feature])

    assert rows.problems.report() == []
    assert rows.inputs["text"][:, 0].tolist() == wanted


@pytest.mark.parametrize(
    ("cells", "feature", "kind", "detail"),
    [
        (texts("x"), column("number"), "wrong_value", 'expected a number, not "x"'),
        (pd.Series([float("inf")]), column("number"), "wrong_value", "expected a number"),
        (pd.Series([1e39]), column("number", largest=3e38), "wrong_value", "expected a number"),
        (pd.Series([1.5]), column("number", whole=True), "wrong_value", "expected a number"),
        (texts("maybe"), column("boolean"), "wrong_value", "expected true or false"),
        (texts("3rd of May"), column("date"), "wrong_value", "expected a date"),
        (pd.Series([NAN]), column("number", nullable=False), "missing_value", "is empty"),
        (texts(None), column("text", nullable=False), "missing_value", "is empty"),
        (texts("?"), column("number", nullable=False), "missing_value", "is empty"),
    ],
)
def test_a_cell_that_the_model_does_not_take_leaves_its_row_out(cells, feature, kind, detail):
    rows = read_rows([cells], [feature])

    assert rows.kept.tolist() == [False]
    (found,) = rows.problems.report()
    assert (found["type"], found["column"], found["count"], found["rows"]) == (kind, "c", 1, [1])
    assert detail in found["detail"]


def test_only_rows_at_fault_are_left_out():
    features = [
        ScoredColumn(name="a", kind="number"),
        ScoredColumn(name="b", kind="text"),
        ScoredColumn(name="c", kind="number"),
    ]
    columns = [pd.Series([1.0, NAN, 3.0]), texts("x", "y", "z"), texts("4", "5", "six")]

    rows = read_rows(columns, features)

    assert rows.kept.tolist() == [True, False, False]
    assert rows.inputs["number"].tolist() == [[1.0, 4.0]]
    assert rows.inputs["text"].tolist() == [["x"]]
    assert {(each["column"], *each["rows"]) for each in rows.problems.report()} == {
        ("a", 2),
        ("c", 3),
    }
