"""The estimators that a training may name."""

from typing import Literal

# The producer offers these without importing scikit-learn; `estimators.ESTIMATORS` builds them.
EstimatorName = Literal[
    "random_forest_regressor",
    "random_forest_classifier",
    "hist_gradient_boosting_regressor",
    "hist_gradient_boosting_classifier",
    "linear_regression",
    "ridge",
    "logistic_regression",
    "svm_regressor",
    "svm_classifier",
    "knn_regressor",
    "knn_classifier",
]
