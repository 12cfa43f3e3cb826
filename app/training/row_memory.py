"""Estimate the memory that a run of a model takes for each row."""

from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from app.training import onnx_trees

_NUMBER = 8  # bytes


def row_bytes(estimator: Any) -> int:
    """Return the bytes that a run of a fitted estimator takes for each row; 0 if few."""
    match estimator:
        case CalibratedClassifierCV():
            return max(row_bytes(each.estimator) for each in estimator.calibrated_classifiers_)
        case SVC() | SVR():  # the products, the distances and the kernel
            return 3 * _NUMBER * len(estimator.support_vectors_)
        case KNeighborsClassifier() | KNeighborsRegressor() if estimator._fit_method == "brute":
            return 2 * _NUMBER * int(estimator.n_samples_fit_)  # the distances and their order
    return onnx_trees.row_bytes(estimator)
