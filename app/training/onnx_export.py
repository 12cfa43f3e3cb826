"""Write a fitted pipeline as ONNX.

Only estimators whose graph computes by construction what scikit-learn computes have a converter:
in float64, with the same rule where scores tie. The test rows, which the choice of the runtime
compares, cannot prove the latter.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from app.training.onnx_boosting import add_boosting_classifier, add_boosting_regressor
from app.training.onnx_external_boosting import (
    add_lightgbm_classifier,
    add_lightgbm_regressor,
    add_xgboost_classifier,
    add_xgboost_regressor,
)
from app.training.onnx_forest import add_forest_classifier, add_forest_regressor
from app.training.onnx_gradient_boosting import (
    add_gradient_boosting_classifier,
    add_gradient_boosting_regressor,
)
from app.training.onnx_graph import DOUBLE, INT64, STRING, GraphBuilder, NotExportable
from app.training.onnx_linear import (
    add_linear_classifier,
    add_linear_regressor,
    add_logistic_regression,
)
from app.training.onnx_mlp import add_mlp_classifier, add_mlp_regressor
from app.training.onnx_preprocessing import add_columns
from app.training.onnx_svm import add_svm_classifier, add_svm_regressor
from app.training.target_transform import learnt_estimator

# Adds a fitted estimator to the graph, given the matrix [rows, columns] in float64. Returns the
# predictions of a regressor [rows] in float64, or the labels of a classifier [rows] in int64 and,
# if it has any, its probabilities [rows, classes] in float64.
Converter = Callable[[GraphBuilder, Any, str], tuple[str, ...]]

CONVERTERS: Mapping[type, Converter] = {
    **dict.fromkeys(
        (LinearRegression, Ridge, Lasso, ElasticNet, SGDRegressor, LinearSVR), add_linear_regressor
    ),
    LogisticRegression: add_logistic_regression,
    SVR: add_svm_regressor,
    SVC: add_svm_classifier,
    SGDClassifier: add_linear_classifier,
    LinearSVC: add_linear_classifier,
    MLPClassifier: add_mlp_classifier,
    MLPRegressor: add_mlp_regressor,
    RandomForestClassifier: add_forest_classifier,
    RandomForestRegressor: add_forest_regressor,
    ExtraTreesClassifier: add_forest_classifier,
    ExtraTreesRegressor: add_forest_regressor,
    DecisionTreeClassifier: add_forest_classifier,
    DecisionTreeRegressor: add_forest_regressor,
    GradientBoostingClassifier: add_gradient_boosting_classifier,
    GradientBoostingRegressor: add_gradient_boosting_regressor,
    HistGradientBoostingClassifier: add_boosting_classifier,
    HistGradientBoostingRegressor: add_boosting_regressor,
}

# By the names of classes whose packages may not be installed.
_OPTIONAL: Mapping[str, Converter] = {
    "XGBRegressor": add_xgboost_regressor,
    "XGBClassifier": add_xgboost_classifier,
    "LGBMRegressor": add_lightgbm_regressor,
    "LGBMClassifier": add_lightgbm_classifier,
}

_NEIGHBOURS = "where distances tie, only scikit-learn itself finds the same neighbours"
_REASONS: Mapping[type, str] = {
    KNeighborsRegressor: _NEIGHBOURS,
    KNeighborsClassifier: _NEIGHBOURS,
    IsolationForest: "at the threshold, only scikit-learn itself rounds the same way",
    GaussianNB: "where classes are equally near, only scikit-learn itself rounds the same way",
    CalibratedClassifierCV: "calibrated classifiers are not written as ONNX",
}


def to_onnx(
    pipeline: Pipeline,
    numbers: int,
    texts: int,
    *,
    converters: Mapping[type, Converter] = CONVERTERS,
) -> list[bytes]:
    """Return the parts of the ONNX file of a fitted pipeline. Raises `NotExportable`.

    Its inputs are `number` (float64) and `text`, matrices of `numbers` and `texts` columns. An
    input without columns is left out. Its outputs are those of the converter.
    """
    whole = pipeline.named_steps["estimator"]
    estimator = learnt_estimator(whole)
    convert = converters.get(type(estimator)) or _OPTIONAL.get(type(estimator).__name__)
    if convert is None:
        reason = _REASONS.get(type(estimator))
        raise NotExportable(reason or f"{type(estimator).__name__} is not written as ONNX")
    graph = GraphBuilder()
    number = graph.input("number", DOUBLE, numbers) if numbers else None
    text = graph.input("text", STRING, texts) if texts else None
    columns = pipeline.named_steps.get("columns")
    matrix = number if columns is None else add_columns(graph, columns, number, text)
    assert matrix is not None
    outputs = convert(graph, estimator, matrix)
    if is_classifier(estimator):
        graph.output("label", outputs[0], INT64, [None])
        for probabilities in outputs[1:]:
            classes = len(estimator.classes_)
            graph.output("probabilities", probabilities, DOUBLE, [None, classes])
    else:
        prediction = outputs[0] if estimator is whole else _add_expm1(graph, outputs[0])
        graph.output("prediction", prediction, DOUBLE, [None])
    return graph.file()


def _add_expm1(graph: GraphBuilder, logarithms: str) -> str:
    """Add exp(x) - 1, which undoes log1p. Near 0 it has the digits of exp(x)."""
    return graph.add("Sub", graph.add("Exp", logarithms), graph.constant(1.0))
