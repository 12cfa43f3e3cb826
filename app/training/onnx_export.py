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
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR

from app.training.onnx_boosting import add_boosting_classifier, add_boosting_regressor
from app.training.onnx_forest import add_forest_classifier, add_forest_regressor
from app.training.onnx_graph import DOUBLE, INT64, STRING, GraphBuilder, NotExportable
from app.training.onnx_linear import add_linear_regressor, add_logistic_regression
from app.training.onnx_preprocessing import add_columns
from app.training.onnx_svm import add_svm_classifier, add_svm_regressor

# Adds a fitted estimator to the graph, given the matrix [rows, columns] in float64. Returns the
# predictions of a regressor [rows] in float64, or the labels of a classifier [rows] in int64 and,
# if it has any, its probabilities [rows, classes] in float64.
Converter = Callable[[GraphBuilder, Any, str], tuple[str, ...]]

CONVERTERS: Mapping[type, Converter] = {
    LinearRegression: add_linear_regressor,
    Ridge: add_linear_regressor,
    LogisticRegression: add_logistic_regression,
    SVR: add_svm_regressor,
    SVC: add_svm_classifier,
    RandomForestClassifier: add_forest_classifier,
    RandomForestRegressor: add_forest_regressor,
    HistGradientBoostingClassifier: add_boosting_classifier,
    HistGradientBoostingRegressor: add_boosting_regressor,
}

_NEIGHBOURS = "where distances tie, only scikit-learn itself finds the same neighbours"
_REASONS: Mapping[type, str] = {
    KNeighborsRegressor: _NEIGHBOURS,
    KNeighborsClassifier: _NEIGHBOURS,
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
    estimator = pipeline.named_steps["estimator"]
    convert = converters.get(type(estimator))
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
        graph.output("prediction", outputs[0], DOUBLE, [None])
    return graph.file()
