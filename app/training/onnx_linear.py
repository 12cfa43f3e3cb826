"""Write linear models as ONNX, in float64."""

from typing import Any

import numpy as np

from app.training.onnx_graph import GraphBuilder, NotExportable
from app.training.onnx_links import (
    add_both_classes,
    add_classes,
    add_logistic,
    add_second_class,
    add_two_classes,
)


def add_linear_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add a model whose answer is a sum of weighted columns; return the predictions [rows]."""
    product = graph.add("MatMul", x, graph.constant(np.ravel(model.coef_)))
    return (graph.add("Add", product, graph.constant(np.reshape(model.intercept_, [1]))),)


def add_logistic_regression(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LogisticRegression`; return the labels [rows] and probabilities [rows, classes]."""
    link = add_two_classes if len(model.classes_) == 2 else add_classes
    return link(graph, _add_scores(graph, model, x))


def add_linear_classifier(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LinearSVC` or `SGDClassifier`; return the labels [rows] and any probabilities.

    The classes have a score each, and two classes one score. Of more than two, the logistic
    functions of the scores are divided by their sum. Raises `NotExportable` for the probabilities
    of another loss.
    """
    two = len(model.classes_) == 2
    if not two and len(model.coef_) < len(model.classes_):
        raise NotExportable("a class has no row with a weight, so it has no score")
    scores = _add_scores(graph, model, x)
    label = (
        add_second_class(graph, scores) if two else graph.add("ArgMax", scores, axis=1, keepdims=0)
    )
    if not hasattr(model, "predict_proba"):
        return (label,)
    if model.loss != "log_loss":
        raise NotExportable(f"probabilities of the loss {model.loss} are not written as ONNX")
    shares = add_logistic(graph, scores)
    if two:
        return label, add_both_classes(graph, shares)
    # If all are 0, each class has the same share.
    total = graph.add("ReduceSum", shares, graph.constant([1], np.int64), keepdims=1)
    none = graph.add("Equal", total, graph.constant(0.0))
    one, count = graph.constant(1.0), graph.constant(float(len(model.classes_)))
    shares = graph.add("Where", none, one, shares)
    return label, graph.add("Div", shares, graph.add("Where", none, count, total))


def _add_scores(graph: GraphBuilder, model: Any, x: str) -> str:
    """Add the scores [rows, classes], or [rows, 1] of two classes."""
    product = graph.add("MatMul", x, graph.constant(model.coef_.T))
    return graph.add("Add", product, graph.constant(np.ravel(model.intercept_)))
