import numpy as np
import pandas as pd
import pytest

from app.models.manifest import Feature
from app.tables.column_types import TypedColumn
from app.tables.profile import MOST_FREQUENT, profile_column, profile_columns

NAN = float("nan")


def texts(*values):
    return pd.Series(values, dtype="str")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (
            "number",
            np.array([3.0, 1.0, 1.0, NAN]),
            {
                "missing": 1,
                "distinct": 2,
                "min": 1.0,
                "max": 3.0,
                "median": 1.0,
                "mean": 5 / 3,
                "std": np.std([3, 1, 1], ddof=1),
                "most_frequent": [{"value": 1.0, "count": 2}],
            },
        ),
        ("number", np.array([5.0]), {"distinct": 1, "min": 5.0, "mean": 5.0, "std": None}),
        ("number", np.array([1.7e308, 1.7e308]), {"mean": None, "std": None, "max": 1.7e308}),
        (
            "boolean",
            np.array([1.0, 0.0, 1.0]),
            {"min": None, "most_frequent": [{"value": True, "count": 2}], "mean": None},
        ),
        (
            "date",
            np.array([0.0, 1.5, 1.5, NAN]),
            {
                "missing": 1,
                "min": "1970-01-01",
                "max": "1970-01-02T12:00:00Z",
                "median": "1970-01-02T12:00:00Z",
                "most_frequent": [{"value": "1970-01-02T12:00:00Z", "count": 2}],
                "mean": None,
            },
        ),
        (
            "text",
            texts("b", "a", "b", None, "a", "c"),
            {
                "missing": 1,
                "distinct": 3,
                "most_frequent": [{"value": "a", "count": 2}, {"value": "b", "count": 2}],
                "min": None,
            },
        ),
        ("category", texts("1", "1"), {"most_frequent": [{"value": "1", "count": 2}]}),
        (
            "text",
            texts("x" * 200, "x" * 200),
            {"most_frequent": [{"value": "x" * 100 + "…", "count": 2}]},
        ),
        ("empty", texts(None, None), {"missing": 2, "distinct": 0, "most_frequent": []}),
        ("number", np.array([NAN]), {"missing": 1, "distinct": 0, "min": None}),
    ],
)
def test_a_column_is_described(kind, values, expected):
    found = profile_column("a", kind, values).model_dump()

    assert (found["name"], found["type"]) == ("a", kind)
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value) if isinstance(value, float) else value), name


def test_only_values_that_occur_more_than_once_are_frequent():
    values = np.r_[np.repeat(np.arange(8.0), 2), 100 + np.arange(50.0)]

    found = profile_column("a", "number", values)

    assert found.distinct == 58
    assert [each.value for each in found.most_frequent] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(found.most_frequent) == MOST_FREQUENT


def test_the_profiles_of_typed_columns_are_in_their_order():
    columns = [
        TypedColumn(Feature(name="b", type="text"), texts("x")),
        TypedColumn(Feature(name="a", type="number"), np.array([1.0])),
    ]

    assert [(each.name, each.type) for each in profile_columns(columns)] == [
        ("b", "text"),
        ("a", "number"),
    ]


@pytest.mark.parametrize(
    ("kind", "values", "counts"),
    [
        ("number", np.arange(40.0), [2] * 20),
        ("number", np.array([0.0, 1.0, NAN]), [1, *[0] * 18, 1]),
        ("number", np.array([-1.7e308, 1.7e308]), [1, *[0] * 18, 1]),
        ("number", np.array([3.0, 3.0]), []),
        ("date", np.array([0.0, 20.0]), [1, *[0] * 18, 1]),
        ("boolean", np.array([0.0, 1.0]), []),
        ("text", texts("a", "b"), []),
    ],
)
def test_a_histogram_has_equal_ranges(kind, values, counts):
    assert profile_column("x", kind, values).histogram == counts
