import numpy as np
import pandas as pd
import pytest

from app.inference.date_parts import add_date_parts, date_parts, number_columns
from app.models.manifest import Feature
from app.protocol.cells import days_of

PARTS = {
    "year": lambda dates: dates.dt.year,
    "month": lambda dates: dates.dt.month,
    "day": lambda dates: dates.dt.day,
    "weekday": lambda dates: dates.dt.day_of_week,
    "day-of-year": lambda dates: dates.dt.day_of_year,
    "hour": lambda dates: dates.dt.hour,
}
MOMENTS = [
    "1970-01-01",
    "1969-12-31T23:59:59.999999",
    "2024-02-29T01:00:00",
    "2025-12-31T23:59:59.999999",
    "2026-08-09T13:00:00+02:00",
    "1900-03-01T05:00:00",
    "9998-12-31T23:00:00",
    "0001-01-01T07:00:00",
]
FEATURES = [
    Feature(name="a", type="date"),
    Feature(name="text", type="text"),
    Feature(name="b", type="number"),
    Feature(name="c", type="date"),
]


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_those_of_pandas(part):
    hours = np.random.default_rng(3).integers(-1_500_000, 1_500_000, 2000)
    others = pd.Series(pd.to_datetime(hours * 3600, unit="s", utc=True))
    odd = pd.to_datetime(pd.Series(MOMENTS), format="ISO8601", utc=True)
    dates = pd.concat([odd.dt.as_unit("us"), others.dt.as_unit("us")])
    days = np.array([days_of(each.isoformat()) for each in dates])

    found = date_parts(days, [part])

    assert found[:, 0].tolist() == PARTS[part](dates).tolist()


def test_the_parts_of_a_missing_date_are_missing():
    assert np.isnan(date_parts(np.array([np.nan]), ["month", "hour"])).all()


def test_parts_follow_the_columns_of_the_features_themselves():
    numbers = np.array([[31.0, 7.0, 0.0]])

    found = add_date_parts(numbers, FEATURES, ["month", "day"])

    assert number_columns(FEATURES, ["month", "day"]) == [
        *("a", "b", "c", "a.month", "a.day", "c.month", "c.day")
    ]
    assert found.tolist() == [[31, 7, 0, 2, 1, 1, 1]]


def test_without_parts_the_numbers_stay_as_they_are():
    numbers = np.array([[31.0, 7.0, 0.0]])

    assert add_date_parts(numbers, FEATURES, []) is numbers
