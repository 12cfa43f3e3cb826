"""Write linear models as ONNX, in float64."""

from typing import Any

import numpy as np

from app.training.onnx_graph import INT64, GraphBuilder


def add_linear_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LinearRegression` or `Ridge`; return the predictions [rows]."""
    product = graph.add("MatMul", x, graph.constant(np.ravel(model.coef_)))
    return (graph.add("Add", product, graph.constant(np.reshape(model.intercept_, [1]))),)


def add_logistic_regression(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LogisticRegression`; return the labels [rows] and probabilities [rows, classes]."""
    product = graph.add("MatMul", x, graph.constant(model.coef_.T))
    scores = graph.add("Add", product, graph.constant(np.ravel(model.intercept_)))
    if len(model.classes_) > 2:
        label = graph.add("ArgMax", scores, axis=1, keepdims=0)
        return label, graph.add("Softmax", scores, axis=1)
    second = graph.add("Sigmoid", scores)
    first = graph.add("Sub", graph.constant(1.0), second)
    above = graph.add("Greater", scores, graph.constant(0.0))
    label = graph.add("Squeeze", graph.add("Cast", above, to=INT64), graph.constant([1], np.int64))
    return label, graph.add("Concat", first, second, axis=1)
