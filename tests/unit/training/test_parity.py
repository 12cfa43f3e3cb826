import math

import numpy as np
import pytest

from app.inference.runtime import Answers
from app.training.parity import BOUND, measure_parity, target_scale


def numbers(*values):
    return Answers(np.array(values, float), None)


def classes(labels, probabilities=None):
    return Answers(
        np.array(labels), None if probabilities is None else np.array(probabilities, float)
    )


@pytest.mark.parametrize(
    ("target", "scale"),
    [
        ([1.0, 3.0], 1.0),
        ([202611280000.0, 202611280002.0], 1.0),  # an offset is no spread
        ([5.0, 5.0], 5.0),
        ([-5.0, -5.0], 5.0),
        ([0.1] * 10, 0.1),
        ([0.0, 0.0], 1.0),
        ([-1e300, 1e300], 1e300),  # whose squares are infinite
        ([0.0, 5e-324], 5e-324),  # half of which is 0
    ],
)
def test_the_scale_is_the_spread_of_the_target_or_its_constant(target, scale):
    assert target_scale(np.array(target)) == pytest.approx(scale, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("expected", "answered", "scale", "parity"),
    [
        ([1.0, 2.0], [1.0, 2.0], 1.0, 0.0),
        ([1.0, 3.0], [1.5, 3.0], 2.0, 0.25),
        ([1e12, 1e12 + 1], [1e12 + 0.5, 1e12 + 1], 2.0, 0.25),  # an offset hides nothing
        ([0.0], [-1e-9], 1.0, 1e-9),
    ],
)
def test_the_parity_of_a_regressor_is_a_share_of_the_scale(expected, answered, scale, parity):
    assert measure_parity(numbers(*expected), numbers(*answered), scale) == pytest.approx(parity)


def test_the_parity_of_a_classifier_is_the_largest_difference_of_probabilities():
    expected = classes([0, 1], [[0.6, 0.4], [0.2, 0.8]])
    answered = classes([0, 1], [[0.6, 0.4], [0.3, 0.7]])

    assert measure_parity(expected, answered, 1.0) == pytest.approx(0.1)


def test_labels_alone_have_to_be_equal():
    assert measure_parity(classes([0, 1]), classes([0, 1]), 1.0) == 0
    assert measure_parity(classes([0, 1]), classes([0, 0]), 1.0) == math.inf


@pytest.mark.parametrize(
    ("expected", "answered"),
    [
        (numbers(1.0), numbers(math.nan)),
        (numbers(1.0), numbers(math.inf)),
        (numbers(math.nan), numbers(math.nan)),
        (numbers(math.inf), numbers(math.inf)),
        (numbers(1.0, 2.0), numbers(1.0)),
        (classes([0], [[1.0, 0.0]]), classes([0], [[math.nan, 0.0]])),
        (classes([0], [[0.5, 0.5]]), classes([1], [[0.5, 0.5]])),  # a tie, decided otherwise
        (classes([0], [[1.0, 0.0]]), classes([0])),
        (classes([0]), classes([0], [[1.0, 0.0]])),
        (classes([0], [[1.0, 0.0]]), classes([0], [[1.0, 0.0, 0.0]])),
    ],
)
def test_what_cannot_be_compared_never_passes(expected, answered):
    assert not measure_parity(expected, answered, 1.0) <= BOUND
