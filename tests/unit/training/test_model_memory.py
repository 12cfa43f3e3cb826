import tracemalloc

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from app.inference.runtime import rows_at_a_time
from app.training.model_memory import LABEL_BYTES, row_bytes

X, Y = np.random.default_rng(1).normal(size=(600, 2)), np.arange(600) % 2
COLUMNS = 3 * 8 * 2  # of two features
RUN_BYTES = 20_000_000
SMALL = 300_000  # of a run, whatever its rows


@pytest.mark.parametrize(
    ("estimator", "size"),
    [
        (Ridge(), 0),
        (KNeighborsRegressor(algorithm="kd_tree"), 10 * 8 * 5),  # what it finds
        (KNeighborsRegressor(algorithm="brute"), 10 * 8 * 5 + 2 * 8 * 600),  # a distance to each
        (SVR(epsilon=0.0), 3 * 8 * 600),
        (CalibratedClassifierCV(SVC(C=1e-9), ensemble=False), 3 * 8 * 601 + 2 * LABEL_BYTES),
        (LogisticRegression(), 2 * LABEL_BYTES),
        (RandomForestClassifier(7), 7 * (2 * 8 + 8 + 4) + 2 * LABEL_BYTES),
        (RandomForestRegressor(7), 0),
        (DecisionTreeClassifier(), (2 * 8 + 8 + 4) + 2 * LABEL_BYTES),
        (MLPRegressor(hidden_layer_sizes=(50, 20), max_iter=1), 4 * 8 * 50),
        (GaussianNB(), 3 * 8 * 2 + 2 * LABEL_BYTES),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_memory_of_a_row_is_that_of_its_columns_its_labels_and_of_what_lies_between(
    estimator, size
):
    assert row_bytes(estimator.fit(X, Y)) == COLUMNS + size


@pytest.mark.parametrize("labels", [2, 100])
@pytest.mark.parametrize(
    "estimator",
    [
        *(
            KNeighborsClassifier(count, algorithm=algorithm, weights=weights)
            for algorithm in ("brute", "kd_tree", "ball_tree")
            for count, weights in ((5, "uniform"), (300, "uniform"), (300, "distance"))
        ),
        *(
            KNeighborsClassifier(algorithm="brute", metric=metric)
            for metric in ("chebyshev", "cosine", "hamming", "nan_euclidean")
        ),
        LogisticRegression(max_iter=3),
        RandomForestClassifier(20, max_depth=4),
        DecisionTreeClassifier(),
        MLPClassifier(max_iter=2),
        MLPClassifier((3, 500, 400), max_iter=2),
        GaussianNB(),
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2),
        SVC(break_ties=True),
        CalibratedClassifierCV(SVC(), ensemble=False),
        CalibratedClassifierCV(KNeighborsClassifier(), method="isotonic", ensemble=False),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_run_takes_more_than_its_rows_are_said_to_take(estimator, labels):
    estimator.fit(X, np.arange(len(X)) % labels)
    count = min(1000, rows_at_a_time(row_bytes(estimator), RUN_BYTES))
    rows = np.random.default_rng(2).normal(size=(count, 2))

    tracemalloc.start()
    try:
        estimator.predict(rows)
        if hasattr(estimator, "predict_proba"):
            estimator.predict_proba(rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak <= count * row_bytes(estimator) + SMALL
