import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from tests.support import trees

SIZE = {"n_estimators": 7, "random_state": 3}


@pytest.mark.parametrize("classes", [0, 2, 3, 7])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"init": "zero", "learning_rate": 0.7},
        {"subsample": 0.5, "max_depth": None},
        {"max_leaf_nodes": 3},
        {"min_samples_split": 1000},  # so that each tree is a leaf
        {"n_estimators": 500, "n_iter_no_change": 1},
    ],
    ids=str,
)
def test_boosting_answers_as_scikit_learn_does(classes, params):
    x = trees.rows("numbers", 1)
    booster = GradientBoostingClassifier if classes else GradientBoostingRegressor

    fitted = booster(**{**SIZE, **params}).fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows("numbers", 2))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_the_losses_of_regressors(loss):
    x = trees.rows("numbers", 1)

    fitted = GradientBoostingRegressor(loss=loss, alpha=0.7, **SIZE).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows("numbers", 2))


def test_the_exponential_loss_has_twice_the_score():
    x = trees.rows("numbers", 1)

    fitted = GradientBoostingClassifier(loss="exponential", **SIZE).fit(x, trees.target(x, 2))

    trees.compare(fitted, trees.rows("numbers", 2))


def test_a_score_of_zero_is_the_second_class():
    x, y = np.zeros((20, 1)), np.arange(20) % 2
    fitted = GradientBoostingClassifier(init="zero", **SIZE).fit(x, y)

    assert fitted.decision_function(x[:1]).tolist() == [0.0]
    assert fitted.predict(x[:1]).tolist() == [1]
    trees.compare(fitted, x)
