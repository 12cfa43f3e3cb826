"""Write what classifiers make of their scores as ONNX."""

import numpy as np

from app.training.onnx_graph import INT64, GraphBuilder


def add_two_classes(graph: GraphBuilder, scores: str) -> tuple[str, str]:
    """Add the logistic link of two classes; return labels [rows] and probabilities [rows, 2].

    `scores` [rows, 1] are of the second class, which is the label above 0. The operator `Sigmoid`
    of onnxruntime gives 0 for probabilities below 1e-16.
    """
    one = graph.constant(1.0)
    second = graph.add(
        "Div", one, graph.add("Add", one, graph.add("Exp", graph.add("Neg", scores)))
    )
    first = graph.add("Sub", one, second)
    above = graph.add("Cast", graph.add("Greater", scores, graph.constant(0.0)), to=INT64)
    label = graph.add("Squeeze", above, graph.constant([1], np.int64))
    return label, graph.add("Concat", first, second, axis=1)


def add_classes(graph: GraphBuilder, scores: str) -> tuple[str, str]:
    """Add the softmax of more classes; return labels [rows] and probabilities [rows, classes].

    The label is the first of the largest `scores` [rows, classes].
    """
    label = graph.add("ArgMax", scores, axis=1, keepdims=0)
    return label, graph.add("Softmax", scores, axis=1)
