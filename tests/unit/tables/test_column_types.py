import math

import pytest

from app import errors
from app.models.manifest import Feature
from app.tables.column_types import MAX_CATEGORIES
from tests.support import frames

RELATIONS = ("constant_column", "identifier_like", "equals_target")


def told(data):
    """The types of the warnings about the reading of the cells."""
    return [warning.type for warning in data.warnings if warning.type not in RELATIONS]


def values_of(data):
    """The values of the feature, None where they are missing."""
    return [None if value != value else value for value in data.frame["a"].tolist()]


@pytest.mark.parametrize(
    ("cells", "kind", "values", "warnings"),
    [
        (["1", "2", "3"], "number", [1, 2, 3], []),
        (["1", " 2", "+3", "4e0", "5."], "number", [1, 2, 3, 4, 5], []),
        (["1", "", "3"], "number", [1, None, 3], []),
        (["1", "?", "3"], "number", [1, None, 3], ["missing_markers"]),
        (["1", " ? ", "3"], "number", [1, None, 3], ["missing_markers"]),
        (["?", "-", "3"], "number", [None, None, 3], ["missing_markers"]),
        (["1"] * 19 + ["x"], "number", [1] * 19 + [None], ["texts_among_numbers"]),
        (["1"] * 18 + ["x", "y"], "text", ["1"] * 18 + ["x", "y"], ["numbers_as_text"]),
        (["1"] * 19 + ["1,5"], "text", ["1"] * 19 + ["1,5"], ["numbers_with_marks"]),
        (["5%", "6%"], "text", ["5%", "6%"], ["numbers_with_marks"]),
        (["1,234", "12"], "text", ["1,234", "12"], ["numbers_with_marks"]),
        (["x", "1", "y"], "text", ["x", "1", "y"], []),
        (["x", "", "NA"], "text", ["x", None, "NA"], []),
        (["True", "false", ""], "boolean", [1, 0, None], []),
        (["True", "NA"], "boolean", [1, None], ["missing_markers"]),
        (["True", "1"], "text", ["True", "1"], ["numbers_as_text"]),
        (["yes", "no"], "text", ["yes", "no"], []),
        (["01234", "234"], "number", [1234, 234], ["leading_zeros"]),
        (["0", "0.5", "00"], "number", [0, 0.5, 0], ["leading_zeros"]),
        (["2025-01-01", "2025-01-02"], "text", ["2025-01-01", "2025-01-02"], ["dates_as_text"]),
        (["2025-01-01", "NA"], "text", ["2025-01-01", "NA"], ["dates_as_text"]),
        (["31.12.2025", "1.1.2026"], "text", ["31.12.2025", "1.1.2026"], ["dates_as_text"]),
        (["12/31/2025 9:00", "?"], "text", ["12/31/2025 9:00", "?"], ["dates_as_text"]),
        (["1.10.2", "1/2"], "text", ["1.10.2", "1/2"], []),
        (["20250101", "20250102"], "number", [20250101, 20250102], []),
        (["9007199254740993", "1"], "number", [2.0**53, 1], ["inexact_numbers"]),
        (["9007199254740993", ""], "number", [2.0**53, None], ["inexact_numbers"]),
        (["18446744073709551617", "1"], "number", [2.0**64, 1], ["inexact_numbers"]),
        (["9223372036854775808", ""], "number", [2.0**63, None], ["inexact_numbers"]),
        (["1e300", "1"], "number", [1e300, 1], []),
    ],
)
def test_the_type_is_inferred_from_all_cells(cells, kind, values, warnings):
    quoted = [f'"{cell}"' if "," in cell else cell for cell in cells]

    data = frames.column(*quoted, times=3)

    assert data.features == [Feature(name="a", type=kind, nullable=None in values)]
    assert values_of(data) == values * 3
    assert told(data) == warnings


@pytest.mark.parametrize(
    ("declared", "cells", "values"),
    [
        ({"type": "number"}, ["1", "?", ""], [1, None, None]),
        ({"type": "number", "missing": ["x"]}, ["1", "x", "?"], [1, None, None]),
        ({"type": "number", "missing": ["-999"]}, ["1", "-999", "-999.0"], [1, None, None]),
        ({"type": "category"}, ["01", "1", "1.0", "NA", ""], ["01", "1", "1", "NA", None]),
        ({"type": "category", "missing": ["NA"]}, ["1", "NA"], ["1", None]),
        ({"type": "category", "missing": ["-9.0"]}, ["1", "-9", "-9.00"], ["1", None, None]),
        ({"type": "text", "missing": ["-9.0"]}, ["1", "-9", "-9.0"], ["1", "-9", None]),
        ({"type": "text"}, ["01", "1", "1.0", "NA", ""], ["01", "1", "1.0", "NA", None]),
        ({"type": "date"}, ["1970-01-02", "1970-01-01T12:00:00Z", "NA"], [1, 0.5, None]),
        ({"type": "boolean"}, ["yes", "No", "TRUE", "f", "1", "0", "-"], [1, 0, 1, 0, 1, 0, None]),
        ({"type": "boolean", "missing": ["0"]}, ["1", "0"], [1, None]),
    ],
)
def test_a_column_has_the_type_that_is_declared(declared, cells, values):
    data = frames.column(*cells, times=2, a=declared)

    assert data.features == [Feature(name="a", nullable=None in values, **declared)]
    assert values_of(data) == values * 2
    assert told(data) == []


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("number", "x", 'hold numbers, but 2 cells hold "x"; write them as 1234.5'),
        ("number", "5%", 'hold numbers, but 2 cells hold "5%"'),
        ("date", "31.01.2025", 'hold dates, but 2 cells hold "31.01.2025"; write them as 2025-01'),
        ("boolean", "2", 'hold booleans, but 2 cells hold "2"; write them as true or false'),
    ],
)
def test_a_cell_of_another_type_than_declared_is_named(kind, cell, said):
    good = {"number": "1", "date": "2025-01-01", "boolean": "yes"}[kind]

    with pytest.raises(errors.BadData, match=said) as caught:
        frames.column(good, cell, times=2, a=kind)

    assert caught.value.extra["field"] == "types.a"


@pytest.mark.parametrize(
    ("cells", "declared", "said"),
    [
        (["", ""], {}, "column a is empty"),
        (["NA", ""], {}, "column a is empty"),
        (["x", "x"], {"a": {"type": "text", "missing": ["x"]}}, "column a is empty"),
        (["1", "inf"], {}, "column a holds infinity, .* in 5 rows"),
        (["1", "1e999", "?"], {}, "column a holds infinity"),
        (["1", "-Infinity"], {"a": "number"}, "column a holds infinity"),
    ],
)
def test_a_column_that_no_estimator_can_take_is_bad_data(cells, declared, said):
    with pytest.raises(errors.BadData, match=said) as caught:
        frames.column(*cells, times=5, **declared)

    assert caught.value.extra["field"] == "features"


@pytest.mark.parametrize(
    ("cell", "declared", "hint"),
    [
        (lambda n: f"x{n}", {}, "can become columns of their own"),
        (str, {"a": "category"}, "can become columns of their own"),
        (lambda n: f'"{n + 1000:,}"', {}, 'cells hold texts such as "1,'),
        (lambda n: f"{1970 + n // 300}-01-01T{n % 24:02}:{n % 60:02}:00.{n}", {}, 'type "date"'),
    ],
)
def test_a_text_column_of_too_many_values_is_bad_data_that_names_it(cell, declared, hint):
    with pytest.raises(errors.BadData, match=r"text column a has [0-9]+ different") as caught:
        frames.column(*map(cell, range(MAX_CATEGORIES * 3)), **declared)

    assert caught.value.extra["field"] == "features"
    assert hint in caught.value.detail


def test_the_texts_among_numbers_are_named_and_counted():
    data = frames.column(*["1"] * 97, "x", "x", "y")

    (warning,) = [each for each in data.warnings if each.type == "texts_among_numbers"]
    assert 'but 2 cells hold "x" and 1 cell holds "y"' in warning.detail
    assert warning.field == "a"


def test_a_text_among_numbers_is_counted_once():
    data = frames.column(*["1"] * 56, "x", "x", "#N/A N/A", "nil", "NA")

    assert [(each.type, each.detail.partition(";")[0]) for each in data.warnings[:2]] == [
        (
            "missing_markers",
            'column a: 1 cell holds "#N/A N/A", 1 cell holds "nil" and 1 cell holds "NA"',
        ),
        (
            "texts_among_numbers",
            'column a holds numbers, but 2 cells hold "x", which count as missing values, because '
            "they are at most 5% of the cells",
        ),
    ]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (1, '10 cells hold texts such as "x0" and "x1"'),
        (2, '2 cells hold "x3" and 6 other texts occur'),
    ],
)
def test_many_texts_are_named_in_part(times, said):
    data = frames.column(*["1"] * 400, *[f"x{n}" for n in range(10)] * times)

    (warning,) = [each for each in data.warnings if each.type == "texts_among_numbers"]
    assert said in warning.detail


def test_the_largest_numbers_are_read():
    data = frames.column("1.7976931348623157e308", "-1.7976931348623157e308", "5e-324", times=3)

    assert all(map(math.isfinite, data.frame["a"]))


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        (["1,234", "12"], True),
        (["1,234.5", "7,890.25"], True),
        (["1\u202f234", "5"], True),
        (["5%", "6%"], False),
        (["1,5", "2,25"], False),
    ],
)
def test_the_warning_of_grouped_numbers_names_the_option_that_reads_them(cells, named):
    data = frames.column(*[f'"{cell}"' for cell in cells], times=3)
    found = [each for each in data.warnings if each.field == "a"]

    assert [each.type for each in found] == ["numbers_with_marks"]
    assert ("store it again with thousands= in the query" in found[0].detail) is named
