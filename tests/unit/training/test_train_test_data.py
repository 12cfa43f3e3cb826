import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

from app import errors
from app.training.split import split_rows
from app.training.train_test_data import make_samples, take_rows
from tests.support import frames


@pytest.fixture
def blurred():
    """Columns whose offsets leave few digits, so that the order of a sum shows."""
    random = np.random.default_rng(7)
    signal = random.normal(size=80)
    columns = {name: 1e9 + signal + random.normal(size=80) for name in "abc"}
    return pd.DataFrame({**columns, "target": signal})


def test_a_fit_to_the_matrix_has_each_digit_of_a_fit_to_a_data_frame(blurred, tmp_path):
    asked = frames.request(["a", "b", "c"], estimator="linear_regression")
    x, _, y, _ = train_test_split(
        blurred[["a", "b", "c"]], blurred.target, test_size=0.2, random_state=42
    )

    data = frames.through_csv(blurred, asked, tmp_path)
    split = split_rows(data.target, asked.resolved_split, data.of_rows)
    rows = take_rows(make_samples(data, asked), split)

    ours = LinearRegression().fit(rows.x_train, rows.y_train)
    theirs = LinearRegression().fit(x, y)
    assert ours.coef_.tolist() == theirs.coef_.tolist()


@pytest.mark.parametrize(
    ("estimator", "fill", "fits"),
    [
        ("random_forest_regressor", 1e39, False),
        ("xgboost_regressor", -1e300, False),
        ("random_forest_regressor", -999.5, True),
        ("ridge", 1e39, True),  # which computes in float64
    ],
)
def test_a_missing_number_becomes_one_that_the_estimator_takes(estimator, fill, fits, blurred):
    blurred.loc[3, "a"] = np.nan
    filled = {"imputation": "constant", "fill_value": fill}
    asked = frames.request(["a", "b"], estimator=estimator, preprocessing=filled)
    data = frames.read(blurred.to_csv(index=False), asked)

    if fits:
        assert make_samples(data, asked).numbers == 2
        return
    with pytest.raises(errors.BadData, match="is too large") as caught:
        make_samples(data, asked)
    assert caught.value.extra["field"] == "preprocessing.fill_value"
