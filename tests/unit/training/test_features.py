import numpy as np
import pandas as pd
import pytest

from app import errors
from app.models.manifest import Feature
from app.training.features import check_float32, feature_matrix, typical_value
from tests.support import frames


def test_text_does_not_make_objects_of_the_numbers(tmp_path):
    data = frames.frame("everything", "ridge")
    read = frames.through_csv(data, frames.request(frames.features(data)), tmp_path)

    matrix, numbers = feature_matrix(read.frame, read.features)

    assert numbers == 4
    assert [dtype.kind for dtype in matrix.dtypes] == ["f", "f", "f", "f", "O"]


@pytest.mark.parametrize(("value", "fits"), [("3.4028235e38", True), ("3.4028236e38", False)])
def test_a_forest_takes_numbers_up_to_the_largest_of_float32(value, fits):
    read = frames.column("1.5", value, times=20)

    if fits:
        check_float32(read.frame, read.features, "random_forest_regressor")
    else:
        with pytest.raises(errors.BadData, match="a number that is too large"):
            check_float32(read.frame, read.features, "random_forest_regressor")


def test_a_missing_text_is_an_empty_one():
    read = frames.read("a,b,target\n1,x,1\n2,,2\n", frames.request(["b", "a"]))

    matrix, numbers = feature_matrix(read.frame, read.features)

    assert numbers == 1
    assert matrix.to_numpy().tolist() == [[1.0, "x"], [2.0, ""]]


@pytest.mark.parametrize(
    ("kind", "values", "sample"),
    [
        ("number", [1.0, 2.0, np.nan, 6.0], 2.0),
        ("number", [1.0, 2.0], 1.5),
        ("number", [1.7e308, 1.7e308], 1.7e308),  # their mean is not finite
        ("number", [-1.7e308, -1.6e308], -1.7e308),
        ("number", [np.nan], None),
        ("boolean", [1.0, 0.0, 1.0, np.nan], True),
        ("boolean", [np.nan], None),
        ("date", [0.0, 1.0, 1.5, 2.0], "1970-01-02"),
        ("date", [0.5], "1970-01-01T12:00:00Z"),
        ("date", [np.nan], None),
    ],
)
def test_the_sample_is_the_median_or_the_most_common_value(kind, values, sample):
    assert typical_value(pd.Series(values), Feature(name="a", type=kind)) == sample


@pytest.mark.parametrize("kind", ["text", "category"])
def test_the_sample_of_a_text_is_the_most_common_one(kind):
    column = pd.Series(["x", "01", None, "01"], dtype="str")

    assert typical_value(column, Feature(name="a", type=kind)) == "01"
