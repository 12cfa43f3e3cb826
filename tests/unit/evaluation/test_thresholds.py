import numpy as np
import pytest

from app.evaluation.thresholds import best_thresholds


@pytest.mark.parametrize(
    ("is_class", "probability", "f1", "youden"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0.8, 0.8),
        ([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], 0.4, 0.9),  # J of 0.9 and of 0.4 are equal
        ([1, 0], [0.5, 0.5], 0.5, None),  # each row or none
        ([1, 1, 0], [0.2, 0.3, 0.9], 0.2, None),  # the wrong way round
    ],
)
def test_the_threshold_is_the_best_and_the_highest_of_equal_ones(is_class, probability, f1, youden):
    found = best_thresholds(np.array(is_class, bool), np.array(probability))

    assert found.f1.threshold == f1
    assert found.youden.threshold == youden


def test_what_a_threshold_gives_is_told():
    found = best_thresholds(np.array([0, 1, 0, 1], bool), np.array([0.1, 0.4, 0.6, 0.9])).f1

    assert (found.precision, found.recall, found.false_positive_rate) == (2 / 3, 1.0, 0.5)
    assert found.f1 == pytest.approx(0.8, rel=1e-15)
