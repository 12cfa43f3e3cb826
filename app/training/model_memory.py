"""Say what a fitted estimator will hold and take in memory when it serves."""

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV

from app.training.booster_trees import lightgbm_trees, xgboost_model, xgboost_trees
from app.training.estimators import spec_of
from app.training.onnx_tree_ensemble import MAX_NODES

_NUMBER = 8  # bytes of a float64, or of a place
_INT32 = 4
_COPYING_METRICS = ("cosine", "nan_euclidean")  # scikit-learn computes them in several matrices
_COPIES = 3  # of a column: as it came, as it is encoded, and as the estimator takes it
_LAYERS = 4  # copies of a layer: sums, products, and what the activation makes of them, of two
LABEL_BYTES = 160  # of a label: its probability in matrices, and in the answer with its key


def node_count(estimator: Any) -> int:
    """Return the number of nodes of the estimator's trees, 0 if it has none."""
    trees = [each.tree_.node_count for each in _trees(estimator)]
    boosted = [len(each.nodes) for step in getattr(estimator, "_predictors", ()) for each in step]
    if hasattr(estimator, "get_booster"):
        boosted = [len(each) for each in xgboost_trees(xgboost_model(estimator))]
    elif hasattr(estimator, "booster_"):
        boosted = [len(each) for each in lightgbm_trees(estimator)]
    return int(sum(trees) + sum(boosted))


def _trees(estimator: Any) -> list[Any]:
    """Return the trees of a forest, of gradient boosting, or of a tree itself."""
    if hasattr(estimator, "tree_"):
        return [estimator]
    return list(np.ravel(getattr(estimator, "estimators_", ())))


def row_bytes(estimator: Any) -> int:
    """Return the bytes that a run of a fitted estimator takes for each row and its answer."""
    columns = _COPIES * _NUMBER * int(estimator.n_features_in_)
    labels = LABEL_BYTES * len(getattr(estimator, "classes_", ()))
    return columns + labels + _between(estimator)


def _between(estimator: Any) -> int:
    """Return the bytes of what is computed between a row and its answer."""
    if isinstance(estimator, CalibratedClassifierCV):
        return max(_between(each.estimator) for each in estimator.calibrated_classifiers_)
    match spec_of(estimator).row_memory:
        case "vectors":  # the products, the distances and the kernel; a score for each pair
            vectors, labels = (
                len(estimator.support_vectors_),
                len(getattr(estimator, "classes_", ())),
            )
            return 3 * _NUMBER * (vectors + labels * (labels - 1) // 2)
        case "neighbours":
            return _of_neighbours(estimator)
        case "layers":  # what two layers give, and its sums
            return _LAYERS * _NUMBER * max(map(len, estimator.coefs_))
        case "classes":  # the distances to the means of a class
            return _COPIES * _NUMBER * int(estimator.n_features_in_)
        case "tree-probabilities":
            # The probabilities of all trees, and their places by operator, also as int32.
            operators = 1 + node_count(estimator) // MAX_NODES
            tree_bytes = _NUMBER * len(estimator.classes_) + _NUMBER * operators + _INT32
            return len(_trees(estimator)) * tree_bytes
    return 0


def _of_neighbours(estimator: Any) -> int:
    """Return the bytes of the neighbours that are found, and of the distances to all rows."""
    # Their distances, places, targets and weights; a vote sorts the targets.
    found = 10 * _NUMBER * int(estimator.n_neighbors)
    if estimator._fit_method != "brute":  # a tree compares without a matrix
        return found
    matrices = 5 if estimator.effective_metric_ in _COPYING_METRICS else 2
    return found + matrices * _NUMBER * int(estimator.n_samples_fit_)
