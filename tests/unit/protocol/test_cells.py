from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol import cells


@pytest.mark.parametrize(
    "cell",
    ["", " ", "NA", "na", "N/A", "None", "NULL", "nan", "?", " ? ", "-", ".", "#N/A", "<NA>"],
)
def test_a_text_among_numbers_may_mean_a_missing_value(cell):
    assert cells.means_missing(cell)


@pytest.mark.parametrize("cell", ["0", "1", "x", "no", "north", "n", "N A", "--1"])
def test_other_texts_do_not(cell):
    assert not cells.means_missing(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "1,234",
        "1.234,5",
        "1'234",
        "1 234 567",
        "1,5",
        "12%",
        "1.5 %",
        "$5",
        "-$1,000",
        "5 €",
        "5 EUR",
    ],
)
def test_a_number_may_have_marks(cell):
    assert cells.number_with_marks(cell)


@pytest.mark.parametrize("cell", ["", "1.2.3", "2025-01-01", "12:30", "a1", "1 2", "12,34,5", "%"])
def test_other_texts_are_no_numbers_with_marks(cell):
    assert not cells.number_with_marks(cell)


@pytest.mark.parametrize(
    ("values", "category"),
    [
        (["1", "1.0", " 1 ", 1, 1.0], "1"),
        (["1.5", "1.50", 1.5], "1.5"),
        (["0", "-0", "0.0", 0, -0.0], "0"),
        (["-2.0", -2, -2.0], "-2"),
        (["01234"], "01234"),
        (["1E5"], "1E5"),
        (["+1"], "+1"),
        (["true", "True", "TRUE", True], "true"),
        (["false", False], "false"),
        (["x", " x "], "x"),
        ([9007199254740993], "9007199254740993"),
        ([""], ""),
    ],
)
def test_forms_of_one_value_are_one_category(values, category):
    assert [cells.category(value) for value in values] == [category] * len(values)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_a_value_is_the_category_of_its_text(value):
    assert cells.category(value) == cells.category(str(value))


@pytest.mark.parametrize(
    ("date", "days"),
    [
        ("1970-01-01", 0.0),
        ("1970-01-02T12:00:00", 1.5),
        ("1970-01-02T12:00:00Z", 1.5),
        ("1970-01-02 12:00", 1.5),
        ("1970-01-02T12:00:00+12:00", 1.0),
        ("19700102", 1.0),
        (" 1969-12-31 ", -1.0),
        ("2026-11-28", 20785.0),
    ],
)
def test_a_date_is_the_days_since_1970(date, days):
    assert cells.days_of(date) == days


@pytest.mark.parametrize(
    "text", ["", "x", "31.01.2025", "01/02/2025", "2025-02-30", "2025-13-01", "12", "10:00"]
)
def test_other_texts_are_no_dates(text):
    assert cells.days_of(text) is None


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)))
def test_a_date_becomes_the_number_that_pandas_gives(moment):
    passed = pd.Timestamp(moment, tz="UTC") - pd.Timestamp(0, tz="UTC")

    days = passed / pd.Timedelta(days=1)
    assert cells.days_of(moment.isoformat()) == pytest.approx(days, rel=1e-15, abs=1e-11)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_the_date_of_days_is_that_date(moment):
    days = cells.days_of(moment.isoformat())

    back = datetime.fromisoformat(cells.date_of(days)).replace(tzinfo=UTC)
    assert abs(back - moment.replace(tzinfo=UTC)) <= timedelta(microseconds=1)


def test_the_last_moment_that_there_is_stays_one():
    text = "9999-12-31T23:59:59.999999Z"
    days = cells.days_of(text)
    assert days is not None
    assert cells.date_of(days) == text
