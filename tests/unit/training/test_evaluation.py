import math

import numpy as np
import pytest

from app.training.evaluation import classification_metrics, measure_parity, regression_metrics


def test_a_regressor_has_the_metrics_of_its_errors():
    metrics = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))

    assert metrics == pytest.approx({"rmse": math.sqrt(4 / 3), "mae": 2 / 3, "r2": -1.0})


def test_a_classifier_has_the_metrics_of_its_probabilities():
    probabilities = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.9, 0.1]])

    metrics = classification_metrics(np.array([0, 1, 1, 0]), probabilities, np.array([0, 1]))

    expected = {
        "accuracy": 0.75,
        "f1": (0.8 + 2 / 3) / 2,
        "log_loss": -np.log([0.8, 0.6, 0.3, 0.9]).mean(),
    }
    assert metrics == pytest.approx(expected)


def test_a_class_without_a_probability_has_none():
    metrics = classification_metrics(np.array([0, 2]), np.array([[1.0, 0.0]] * 2), np.array([0, 1]))

    assert metrics["accuracy"] == 0.5
    assert metrics["log_loss"] > 10


@pytest.mark.parametrize(
    ("expected", "answered", "parity"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 3.0], [1.0, 3.3], 0.1),  # relative to the value
        ([0.0, 4.0], [0.2, 4.0], 0.1),  # relative to the mean
        ([0.0, 0.0], [0.0, 0.5], 0.5),
    ],
)
def test_parity_is_the_largest_relative_difference(expected, answered, parity):
    assert measure_parity(np.array(expected), np.array(answered)) == pytest.approx(parity)


def test_an_answer_that_is_no_number_has_no_parity():
    assert math.isnan(measure_parity(np.array([1.0]), np.array([math.nan])))
