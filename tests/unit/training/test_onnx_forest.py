import numpy as np
import onnx
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from app.training.onnx_export import to_onnx
from app.training.onnx_graph import NotExportable
from tests.support import trees

SIZE = {"n_estimators": 7, "random_state": 3}


@pytest.mark.parametrize("kind", trees.KINDS)
@pytest.mark.parametrize("depth", [1, 3, None])
@pytest.mark.parametrize("classes", [0, 2, 3, 7])
def test_a_forest_answers_as_scikit_learn_does(classes, depth, kind):
    x = trees.rows(kind, 1)
    forest = RandomForestClassifier if classes else RandomForestRegressor

    fitted = forest(max_depth=depth, **SIZE).fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows(kind, 2))


@pytest.mark.parametrize("kind", trees.KINDS)
@pytest.mark.parametrize(
    ("estimator", "classes"),
    [
        (ExtraTreesRegressor(**SIZE), 0),
        (ExtraTreesClassifier(**SIZE, max_depth=3), 3),
        (DecisionTreeRegressor(min_samples_leaf=3), 0),
        (DecisionTreeClassifier(), 2),
        (DecisionTreeClassifier(max_depth=3, class_weight="balanced"), 7),
        (DecisionTreeClassifier(min_samples_split=1000), 3),  # which is a leaf
    ],
    ids=str,
)
def test_random_splits_and_single_trees_answer_as_scikit_learn_does(estimator, classes, kind):
    x = trees.rows(kind, 1)

    fitted = estimator.fit(x, trees.target(x, classes))

    trees.compare(fitted, trees.rows(kind, 2))


@pytest.mark.parametrize(
    "criterion", ["squared_error", "friedman_mse", "absolute_error", "poisson"]
)
@pytest.mark.filterwarnings("ignore:.*friedman_mse.*:FutureWarning")
def test_the_criteria_of_regressors(criterion):
    x = trees.rows("missing" if criterion != "absolute_error" else "numbers", 1)

    fitted = RandomForestRegressor(criterion=criterion, **SIZE).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows("numbers", 2))


@pytest.mark.parametrize(
    "params",
    [
        {"criterion": "entropy"},
        {"criterion": "log_loss"},
        {"class_weight": "balanced", "max_depth": 4},
        {"class_weight": {0: 1, 1: 9, 2: 0.3}, "min_samples_leaf": 9},
        {"max_samples": 0.2},
        {"bootstrap": False, "max_features": 1},
        {"ccp_alpha": 0.01},
        {"min_samples_split": 1000},  # so that each tree is a leaf
        {"n_estimators": 1, "max_depth": 2},
        {"max_leaf_nodes": 5},
    ],
    ids=str,
)
def test_the_params_of_classifiers(params):
    x = trees.rows("numbers", 1)

    fitted = RandomForestClassifier(**{**SIZE, **params}).fit(x, trees.target(x, 3))

    trees.compare(fitted, trees.rows("numbers", 2))


@pytest.mark.parametrize(
    "params",
    [
        {"min_samples_split": 1000},
        {"monotonic_cst": [1, -1, 0, 0]},
        {"n_estimators": 1},
        {"max_features": 2, "min_samples_leaf": 5},
    ],
    ids=str,
)
def test_the_params_of_regressors(params):
    x = trees.rows("numbers", 1)

    fitted = RandomForestRegressor(**{**SIZE, **params}).fit(x, trees.target(x))

    trees.compare(fitted, trees.rows("numbers", 2))


def test_an_offset_of_the_target_costs_no_digits():
    x = trees.rows("numbers", 1)

    fitted = RandomForestRegressor(**SIZE).fit(x, trees.target(x) + 202_511_281_530)

    trees.compare(fitted, trees.rows("numbers", 2), rtol=1e-15)


def test_a_tie_goes_to_the_label_that_scikit_learn_gives():
    """Few values and small leaves make ties of fractions, which rounding decides."""
    random = np.random.default_rng(0)
    x = random.integers(0, 3, size=(60, 3)).astype(float)
    every = np.array(np.meshgrid(*[range(3)] * 3), float).reshape(3, -1).T
    for seed in range(40):
        for classes in (2, 3):
            forest = RandomForestClassifier(4, max_depth=3, random_state=seed)
            forest.fit(x, random.integers(0, classes, size=60))
            trees.compare(forest, every)


@pytest.mark.parametrize("forest", [RandomForestRegressor, RandomForestClassifier])
def test_rows_next_to_a_threshold_go_where_scikit_learn_sends_them(forest):
    """Between two neighbouring float32 is a threshold that is none."""
    first = np.random.default_rng(5).uniform(1e3, 1e4, size=60).astype(np.float32)
    x = np.concatenate([first, np.nextafter(first, np.float32(np.inf))]).astype(float)[:, None]

    fitted = forest(5, bootstrap=False).fit(x, np.repeat([0, 1], 60))

    trees.compare(fitted, x)
    trees.compare(fitted, np.nextafter(x, np.inf))


@pytest.mark.parametrize("forest", [RandomForestRegressor, RandomForestClassifier])
def test_a_tree_that_onnxruntime_cannot_read_is_not_exported(forest):
    x = np.arange(2100.0)[:, None]
    fitted = forest(1, bootstrap=False).fit(x, np.arange(2100) % 2)
    tree = fitted.estimators_[0].tree_
    state = tree.__getstate__()
    state["max_depth"] = 2001
    tree.__setstate__(state)

    with pytest.raises(NotExportable, match="a tree is 2,001 levels deep"):
        to_onnx(Pipeline([("estimator", fitted)]), 1, 0)


def test_leaves_of_one_class_share_a_place():
    x = trees.rows("numbers", 1)
    fitted = RandomForestClassifier(**SIZE).fit(x, trees.target(x, 5))

    file = b"".join(to_onnx(Pipeline([("estimator", fitted)]), 4, 0))

    (leaves,) = [n for n in onnx.load_from_string(file).graph.node if n.op_type == "Constant"]
    assert list(leaves.attribute[0].t.dims) == [5, 5]
