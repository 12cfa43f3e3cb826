"""Write multi-layer perceptrons as ONNX, in float64."""

from typing import Any

import numpy as np

from app.training.onnx_graph import INT64, GraphBuilder
from app.training.onnx_links import add_both_classes, add_logistic

_OPERATORS = {"tanh": "Tanh", "relu": "Relu", "exp": "Exp"}


def add_mlp_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `MLPRegressor`; return the predictions [rows]."""
    return (graph.add("Squeeze", _add_output(graph, model, x), graph.constant([1], np.int64)),)


def add_mlp_classifier(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `MLPClassifier`; return the labels [rows] and probabilities [rows, classes].

    Of two classes the second one is the label if its probability is above a half, of more the first
    of the most probable ones.
    """
    shares = _add_output(graph, model, x)
    if len(model.classes_) > 2:
        return graph.add("ArgMax", shares, axis=1, keepdims=0), shares
    above = graph.add("Cast", graph.add("Greater", shares, graph.constant(0.5)), to=INT64)
    label = graph.add("Squeeze", above, graph.constant([1], np.int64))
    return label, add_both_classes(graph, shares)


def _add_output(graph: GraphBuilder, model: Any, x: str) -> str:
    """Add the layers; return what the last one gives [rows, outputs]."""
    last = len(model.coefs_) - 1
    for layer, (weights, intercepts) in enumerate(
        zip(model.coefs_, model.intercepts_, strict=True)
    ):
        product = graph.add("MatMul", x, graph.constant(weights))
        x = graph.add("Add", product, graph.constant(intercepts))
        x = _add_activation(graph, model.out_activation_ if layer == last else model.activation, x)
    return x


def _add_activation(graph: GraphBuilder, name: str, x: str) -> str:
    match name:
        case "identity":
            return x
        case "logistic":
            return add_logistic(graph, x)
        case "softmax":
            return graph.add("Softmax", x, axis=1)
    return graph.add(_OPERATORS[name], x)
