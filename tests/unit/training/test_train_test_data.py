import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

from app.training.train_test_data import split_data
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

    rows = split_data(frames.through_csv(blurred, asked, tmp_path), asked)

    ours = LinearRegression().fit(rows.x_train, rows.y_train)
    theirs = LinearRegression().fit(x, y)
    assert ours.coef_.tolist() == theirs.coef_.tolist()
