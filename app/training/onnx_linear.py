"""Write linear models as ONNX, in float64."""

from typing import Any

import numpy as np

from app.training.onnx_graph import GraphBuilder
from app.training.onnx_links import add_classes, add_two_classes


def add_linear_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LinearRegression` or `Ridge`; return the predictions [rows]."""
    product = graph.add("MatMul", x, graph.constant(np.ravel(model.coef_)))
    return (graph.add("Add", product, graph.constant(np.reshape(model.intercept_, [1]))),)


def add_logistic_regression(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LogisticRegression`; return the labels [rows] and probabilities [rows, classes]."""
    product = graph.add("MatMul", x, graph.constant(model.coef_.T))
    scores = graph.add("Add", product, graph.constant(np.ravel(model.intercept_)))
    link = add_two_classes if len(model.classes_) == 2 else add_classes
    return link(graph, scores)
