"""Say what a fitted estimator will hold and take in memory when it serves."""

from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from app.training.onnx_tree_ensemble import MAX_NODES

_NUMBER = 8  # bytes of a float64, or of a place
_INT32 = 4


def node_count(estimator: Any) -> int:
    """Return the number of nodes of the estimator's trees, 0 if it has none."""
    trees = [each.tree_.node_count for each in getattr(estimator, "estimators_", ())]
    boosted = [len(each.nodes) for step in getattr(estimator, "_predictors", ()) for each in step]
    return int(sum(trees) + sum(boosted))


def row_bytes(estimator: Any) -> int:
    """Return the bytes that a run of a fitted estimator takes for each row, 0 if few."""
    match estimator:
        case CalibratedClassifierCV():
            return max(row_bytes(each.estimator) for each in estimator.calibrated_classifiers_)
        case SVC() | SVR():  # the products, the distances and the kernel
            return 3 * _NUMBER * len(estimator.support_vectors_)
        case KNeighborsClassifier() | KNeighborsRegressor() if estimator._fit_method == "brute":
            return 2 * _NUMBER * int(estimator.n_samples_fit_)  # the distances and their order
        case RandomForestClassifier():
            # The probabilities of all trees, and their places by operator, also as int32.
            operators = 1 + node_count(estimator) // MAX_NODES
            tree_bytes = _NUMBER * len(estimator.classes_) + _NUMBER * operators + _INT32
            return len(estimator.estimators_) * tree_bytes
    return 0
