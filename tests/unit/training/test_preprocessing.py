import numpy as np
import pandas as pd
import pytest

from app.models.manifest import Feature
from app.training.features import feature_matrix
from app.training.preprocessing import preprocessing_steps

NUMBER, TEXT = Feature(name="a", type="number"), Feature(name="c", type="text")
NULLABLE = Feature(name="a", type="number", nullable=True)


def prepared(features, **columns):
    """The matrix that the estimator gets."""
    x, numbers = feature_matrix(pd.DataFrame(columns), features)
    ((_, step),) = preprocessing_steps(features, numbers)
    return step.fit_transform(x)


def test_numbers_that_are_never_missing_need_no_step():
    assert preprocessing_steps([NUMBER, Feature(name="b", type="boolean")], 2) == []


def test_a_missing_number_is_the_median():
    assert prepared([NULLABLE], a=[1.0, 2.0, np.nan, 9.0]).ravel().tolist() == [1, 2, 2, 9]


def test_a_column_without_any_number_is_zero():
    assert prepared([NULLABLE], a=[np.nan, np.nan]).ravel().tolist() == [0, 0]


def test_each_text_is_a_column_and_the_empty_one_too():
    matrix = prepared([TEXT], c=["b", None, "a", "b"])

    assert matrix.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("feature", [NUMBER, NULLABLE])
def test_numbers_stay_as_they_are_beside_texts(feature):
    values = [1700000000.1, 1700000000.2, 9007199254740991.0]

    matrix = prepared([feature, TEXT], a=values, c=["a", "b", "a"])

    assert matrix.dtype == np.float64
    assert matrix[:, 0].tolist() == values
