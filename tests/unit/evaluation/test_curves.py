import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from app.evaluation.curves import calibration, precision_recall, roc

RANDOM = np.random.default_rng(4)
IS_CLASS = RANDOM.random(3000) < 0.3
PROBABILITY = np.clip(0.3 * IS_CLASS + 0.7 * RANDOM.random(3000), 0, 1)


@pytest.mark.parametrize("most", [10, 100, 100_000])
def test_each_point_is_one_of_scikit_learns(most):
    found = roc(IS_CLASS, PROBABILITY, most)

    points = {t: (f, p) for f, p, t in zip(*roc_curve(IS_CLASS, PROBABILITY), strict=True)}
    points[None] = points.pop(np.inf)
    assert 10 <= len(found.thresholds) <= most
    rates = zip(found.false_positive_rate, found.true_positive_rate, strict=True)
    assert [points[each] for each in found.thresholds] == list(rates)


@pytest.mark.parametrize("most", [10, 100, 100_000])
def test_each_point_of_precision_and_recall_is_one_of_scikit_learns(most):
    found = precision_recall(IS_CLASS, PROBABILITY, most)

    precision, recall, thresholds = precision_recall_curve(IS_CLASS, PROBABILITY)
    points = dict(zip(thresholds, zip(precision, recall, strict=True), strict=False))
    points[None] = (1.0, 0.0)
    assert 10 <= len(found.thresholds) <= most
    shown = zip(found.precision, found.recall, strict=True)
    assert [points[each] for each in found.thresholds] == list(shown)


def test_the_ranges_of_calibration_count_their_rows():
    found = calibration(np.array([0, 1, 1, 1], bool), np.array([0.0, 0.1, 0.95, 1.0]))

    assert found.rows == [2, 2]
    assert found.observed == [0.5, 1.0]
    assert found.predicted == pytest.approx([0.05, 0.975])
