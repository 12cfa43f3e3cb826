import math

import numpy as np
import pytest

from app.evaluation.metrics import classification_metrics, regression_metrics
from app.inference.runtime import Answers


def test_a_regressor_has_the_metrics_of_its_errors():
    metrics = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))

    assert metrics == pytest.approx({"rmse": math.sqrt(4 / 3), "mae": 2 / 3, "r2": -1.0})


def test_a_classifier_has_the_metrics_of_its_labels_and_probabilities():
    probabilities = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.9, 0.1]])
    answers = Answers(np.array([0, 1, 0, 0]), probabilities)

    metrics = classification_metrics(np.array([0, 1, 1, 0]), answers)

    expected = {
        "accuracy": 0.75,
        "f1": (0.8 + 2 / 3) / 2,
        "log_loss": -np.log([0.8, 0.6, 0.3, 0.9]).mean(),
    }
    assert metrics == pytest.approx(expected)


def test_the_labels_need_not_be_the_most_probable_ones():
    answers = Answers(np.array([1, 1]), np.array([[0.9, 0.1], [0.9, 0.1]]))

    assert classification_metrics(np.array([1, 0]), answers)["accuracy"] == 0.5


def test_a_classifier_without_probabilities_has_no_log_loss():
    metrics = classification_metrics(np.array([0, 1]), Answers(np.array([0, 1]), None))

    assert metrics == {"accuracy": 1.0, "f1": 1.0}


def test_a_class_that_was_not_learnt_has_no_probability():
    answers = Answers(np.array([0, 0]), np.array([[1.0, 0.0]] * 2))

    metrics = classification_metrics(np.array([0, 2]), answers)

    assert metrics["accuracy"] == 0.5
    assert metrics["log_loss"] > 10


def test_test_rows_of_one_class_have_all_metrics():
    answers = Answers(np.array([0]), np.array([[0.75, 0.25]]))

    metrics = classification_metrics(np.array([0]), answers)

    assert metrics == pytest.approx({"accuracy": 1.0, "f1": 1.0, "log_loss": -math.log(0.75)})
