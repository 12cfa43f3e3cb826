"""Whatever the data are like: the metrics are those of the answers, which are scikit-learn's."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app import errors
from app.protocol.training_request import TrainRequest
from tests.support import frames, plain, served

OFFSETS = [0.0, -3.0, 1e3, 2.0e7, 1.7e9, 2.026e11, 1e12]
LABELS = [
    ["None", "NA", "null"],
    [" ", "n/a"],
    ["ä,\n", 'quo"ted', "x"],
    ["1E5", "007", "z"],
    ["yes", "no"],
    [True, False],
    [-1, 0, 12345678901],
    [3, 1, 2, 7],
]
WORDS = ["NA", "None", "red", "Red", "ä,\n", "1", ""]
# Estimators of each preprocessing and runtime.
PARAMS: dict[str, list[dict[str, Any]]] = {
    "random_forest_regressor": [{"n_estimators": 5}, {"n_estimators": 5, "max_depth": 3}],
    "random_forest_classifier": [{"n_estimators": 5}, {"n_estimators": 5, "max_depth": 3}],
    "hist_gradient_boosting_regressor": [
        {"max_iter": 5, "min_samples_leaf": 3},
        {"max_iter": 5, "min_samples_leaf": 3, "loss": "absolute_error"},
    ],
    "hist_gradient_boosting_classifier": [{"max_iter": 5, "min_samples_leaf": 3}],
    "linear_regression": [{}],
    "ridge": [{}],
    "logistic_regression": [{}, {"C": 0.01}],
    "svm_regressor": [{}, {"kernel": "linear", "max_iter": 50}],
    "svm_classifier": [{}, {"probability": True}],
    "knn_regressor": [{}, {"weights": "distance"}, {"p": 1}],
    "knn_classifier": [{}, {"weights": "distance"}, {"n_neighbors": 2}],
}


@st.composite
def offsets(draw: st.DrawFn, scale: float, *, sums: bool) -> float:
    """An offset of numbers of a scale; of those that are summed, one that leaves them digits.

    Where it is 1e16 times the scale, scikit-learn's own answers depend on the order of a sum.
    """
    return draw(st.sampled_from([each for each in OFFSETS if not sums or abs(each) <= 1e7 * scale]))


@st.composite
def numbers(draw: st.DrawFn, random: np.random.Generator, signal: Any, *, sums: bool) -> Any:
    """A column [rows] about a signal, of any scale and offset, perhaps with ties and gaps."""
    column = signal + random.normal(size=len(signal))
    if draw(st.booleans()):
        column = np.round(column)  # few values
    scale = 10.0 ** draw(st.integers(-6, 9))
    column = column * scale + draw(offsets(scale, sums=sums))
    if draw(st.booleans()):
        column = np.where(random.random(len(signal)) < 0.2, np.nan, column)
    return column


@st.composite
def tables(draw: st.DrawFn, *, classes: bool, sums: bool) -> pd.DataFrame:
    """A data set with a target that its columns tell something about; see `offsets`."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(24, 70))
    signal = random.normal(size=rows)
    count = draw(st.integers(1, 3))
    data = pd.DataFrame({f"n{i}": draw(numbers(random, signal, sums=sums)) for i in range(count)})
    if draw(st.booleans()):
        data["word"] = random.choice(WORDS, size=rows)
    if draw(st.booleans()):
        values = np.array([True, False, None][: draw(st.integers(2, 3))], object)
        data["flag"] = random.choice(values, size=rows)
    if classes:
        labels = draw(st.sampled_from(LABELS))
        place = np.digitize(signal, np.linspace(-1, 1, len(labels) - 1))
        data["target"] = np.array(labels, object)[place]
    else:
        scale = 10.0 ** draw(st.integers(-6, 9))
        data["target"] = draw(offsets(scale, sums=sums)) + signal * scale
    if draw(st.booleans()):
        data = pd.concat([data, data[: rows // 2]])
    return data


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize("estimator", PARAMS)
def test_the_metrics_are_those_of_the_answers_and_both_are_scikit_learns(
    estimator, data, tmp_path_factory
):
    classes = estimator in frames.CLASSIFIERS
    sums = not estimator.startswith((*served.TREES, "knn"))
    table = data.draw(tables(classes=classes, sums=sums))
    params = data.draw(st.sampled_from(PARAMS[estimator]))
    assume(table.target.nunique() > 1)
    path = tmp_path_factory.mktemp("training") / "data.csv"
    table.to_csv(path, index=False)
    features = frames.features(table)
    test_size = data.draw(st.sampled_from([0.2, 0.35, 12]))
    asked = TrainRequest(
        dataset_id="data",
        features=features,
        target="target",
        estimator=estimator,
        params=params,
        test_size=test_size,
        defaults="by-estimator",
    )

    try:
        expected = plain.train(path, features, "target", plain.build(estimator, params), test_size)
    except ValueError:
        expected = None
    if expected is None or len(expected.classes) == 1:  # which some estimators of scikit-learn take
        with pytest.raises(errors.BadData):
            served.train(path, asked)
    else:
        model = served.train(path, asked)
        # A sum of products has few digits left where a column's offset is 1e12 times its spread.
        bound = served.bound_of(estimator, model.manifest.runtime)
        served.assert_same(model, expected, metrics=bound)
