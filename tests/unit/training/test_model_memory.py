import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.svm import SVC, SVR

from app.training.model_memory import row_bytes

X, Y = np.random.default_rng(1).normal(size=(60, 2)), np.arange(60) % 2


@pytest.mark.parametrize(
    ("estimator", "size"),
    [
        (Ridge(), 0),
        (KNeighborsRegressor(algorithm="kd_tree"), 0),
        (KNeighborsRegressor(algorithm="brute"), 2 * 8 * 60),  # a distance to each row
        (SVR(epsilon=0.0), 3 * 8 * 60),
        (CalibratedClassifierCV(SVC(C=1e-9), ensemble=False), 3 * 8 * 60),
    ],
    ids=str,
)
def test_the_memory_of_a_row_is_that_of_what_a_run_compares_it_with(estimator, size):
    assert row_bytes(estimator.fit(X, Y)) == size


def test_a_forest_of_more_trees_takes_more_for_a_row():
    few, many = (RandomForestClassifier(n_estimators=count).fit(X, Y) for count in (5, 50))

    assert 0 < row_bytes(few) == row_bytes(many) / 10


def test_a_row_of_a_forest_takes_the_probabilities_of_all_trees():
    assert row_bytes(RandomForestClassifier(7).fit(X, Y)) == 7 * (2 * 8 + 8 + 4)
    assert row_bytes(RandomForestRegressor(7).fit(X, Y)) == 0
