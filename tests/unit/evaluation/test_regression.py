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


def test_residuals_beyond_float64_are_refused():
    with pytest.raises(OverflowError):
        evaluate_regression(np.array([1.7e308]), np.array([-1.7e308]))
