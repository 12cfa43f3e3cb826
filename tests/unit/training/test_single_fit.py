"""Fits to the training rows of a split, with and without weights."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.validation import has_fit_parameter

from app import errors
from app.protocol.estimators import ESTIMATORS
from app.training.estimators import estimator_class
from tests.support import frames


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_table_tells_whether_a_fit_takes_weights(name):
    spec = ESTIMATORS[name]

    assert spec.weighted == has_fit_parameter(estimator_class(spec)(), "sample_weight")


@pytest.mark.parametrize(
    ("asked", "reports"),
    [
        ({"cv": 4}, [0.22, 0.39, 0.56, 0.73, 0.9]),
        ({"cv": {"folds": 2, "repeats": 2}, "test_size": 9}, None),
        ({"refit": True}, [0.475, 0.9]),
        ({}, []),
    ],
)
def test_the_end_of_each_of_several_fits_is_progress_of_any_estimator(asked, reports):
    data = frames.frame("numeric", "ridge", rows=60)
    told = []

    frames.train(
        data, frames.request(["a", "b"], estimator="ridge", **asked), on_progress=told.append
    )

    assert told == sorted(told)
    if reports is None:
        assert len(told) == 6
    else:
        assert told == pytest.approx(reports)


def test_a_forest_reports_the_trees_of_all_its_fits():
    data = frames.frame("numeric", "random_forest_regressor", rows=60)
    told = []
    asked = frames.request(["a", "b"], estimator="RandomForestRegressor", cv=3)

    frames.train(data, asked, on_progress=told.append)

    assert told == sorted(told)
    assert {round(share, 6) for share in told} >= {0.2625, 0.475, 0.6875, 0.9, 0.95}


def test_weights_that_are_all_0_in_the_training_rows_are_told():
    data = pd.DataFrame({"a": np.arange(10.0), "w": [0.0] * 9 + [1.0], "target": np.arange(10.0)})
    asked = frames.request(
        ["a"], estimator="ridge", sample_weight="w", split={"time": "a", "test_size": 2}
    )

    with pytest.raises(errors.BadData, match="of the rows to learn from are all 0") as caught:
        frames.train(data, asked)

    assert caught.value.extra["field"] == "sample_weight"


@pytest.mark.parametrize("calibrate", [None, "sigmoid"])
def test_weights_reach_a_calibrated_classifier_too(calibrate):
    data = frames.frame("numeric", "logistic_regression")
    data["w"] = np.where(data.target == 1, 5.0, 1.0)
    asked = {"estimator": "logistic_regression", "calibrate": calibrate}
    row = dict.fromkeys("abc", 0.0)

    def share_of_1(**more):
        manifest, file = frames.train(data, frames.request(["a", "b", "c"], **asked, **more))
        (answer,) = frames.load(manifest, file).predict([row])
        return answer["pred_proba"]["1"]

    assert share_of_1(sample_weight="w") > share_of_1() + 0.1
