import numpy as np
import pytest

from app.evaluation.regression import evaluate_regression


def test_there_are_at_most_two_thousand_points_and_the_residuals_of_all_rows():
    random = np.random.default_rng(0)
    y, predicted = random.normal(size=(2, 5000))

    found = evaluate_regression(y, predicted)

    kept = np.sort(np.random.RandomState(42).permutation(5000)[:2000])
    assert found.rows == 5000
    assert found.actual == y[kept].tolist()
    assert found.predicted == predicted[kept].tolist()
    assert found.residuals == (y - predicted)[kept].tolist()
    assert found.residual_mean == (y - predicted).mean()
    assert sum(found.residual_histogram.counts) == 5000
    assert len(found.residual_histogram.edges) == 21


@pytest.mark.parametrize("rows", [1, 3])
def test_a_constant_target_that_is_predicted_has_residuals_of_zero(rows):
    found = evaluate_regression(np.full(rows, 7.0), np.full(rows, 7.0))

    assert found.residuals == [0.0] * rows
    assert found.residual_std == 0
    assert set(found.residual_quantiles.values()) == {0.0}
    assert sum(found.residual_histogram.counts) == rows


@pytest.mark.parametrize(
    "y", [[1e15], [3e17, 3e17], [-1e17, -1e17 - 16], [1e300]], ids=["one", "same", "near", "huge"]
)
def test_huge_residuals_that_are_nearly_the_same_have_a_histogram(y):
    found = evaluate_regression(np.array(y), np.zeros(len(y))).residual_histogram

    assert sum(found.counts) == len(y)
    assert len(set(found.edges)) == len(found.counts) + 1 == 21
    assert found.edges[0] < min(y)
    assert max(y) < found.edges[-1]


def test_residuals_beyond_float64_are_refused():
    with pytest.raises(OverflowError):
        evaluate_regression(np.array([1.7e308]), np.array([-1.7e308]))
