import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tests.support import trees

SIZE = {"max_iter": 12, "random_state": 3, "min_samples_leaf": 5}


@pytest.mark.parametrize("kind", trees.KINDS)
@pytest.mark.parametrize(
    "params",
    [
        {"loss": "squared_error"},
        {"loss": "absolute_error"},
        {"loss": "gamma"},
        {"loss": "poisson"},
        {"loss": "quantile", "quantile": 0.3},
    ],
    ids=str,
)
def test_the_losses_of_regressors(params, kind):
    x = trees.rows(kind, 1)

    fitted = HistGradientBoostingRegressor(**SIZE, **params).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows(kind, 2))


@pytest.mark.parametrize("kind", trees.KINDS)
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classifiers(classes, kind):
    x = trees.rows(kind, 1)

    fitted = HistGradientBoostingClassifier(**SIZE).fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows(kind, 2))


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 100},
        {"max_depth": 2, "l2_regularization": 1.0},
        {"min_samples_leaf": 1000},  # so that each tree is a leaf
        {"max_bins": 5, "learning_rate": 1.0},
        {"monotonic_cst": [1, -1, 0, 0]},
        {"interaction_cst": [{0, 1}, {2, 3}]},
        {"max_leaf_nodes": None, "max_iter": 200},  # whose probabilities come close to 0 and 1
    ],
    ids=str,
)
@pytest.mark.parametrize("classes", [0, 2])
def test_params(params, classes):
    x = trees.rows("numbers", 1)
    booster = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor

    fitted = booster(**{**SIZE, **params}).fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows("numbers", 2))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile"])
def test_an_offset_of_the_target_costs_no_digits(loss):
    x = trees.rows("numbers", 1)
    booster = HistGradientBoostingRegressor(**SIZE, loss=loss, quantile=0.5)

    fitted = booster.fit(x, trees.target(x) + 202_511_281_530)

    trees.compare(fitted, trees.rows("numbers", 2), rtol=1e-15)


def categories(seed, missing, high):
    """A column of numbers, and two of categories; those from `high` on are rare."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=600)
    many, few = random.integers(0, high, size=600), random.integers(-3, 9, size=600) * 1.5
    x = np.column_stack([many, numbers, few]).astype(float)
    x[random.random(x.shape) < missing] = np.nan
    return x


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("columns", [[0, 2], [2], [0, 1, 2]], ids=str)
def test_categorical_columns_with_categories_that_are_new(columns, classes, missing):
    x = categories(1, missing, high=40)
    if 1 in columns:
        x[:, 1] = np.round(x[:, 1])
    y = np.sin(9 * np.nan_to_num(x)).sum(axis=1)
    y = np.argsort(np.argsort(y)) * classes // len(y) if classes else y
    booster = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor

    fitted = booster(**SIZE, categorical_features=columns).fit(x, y)

    trees.compare(fitted, categories(2, 0.2, high=60))
