"""Write what classifiers make of their scores as ONNX."""

import numpy as np

from app.training.onnx_graph import INT64, GraphBuilder


def add_logistic(graph: GraphBuilder, scores: str) -> str:
    """Add the logistic function. The operator `Sigmoid` of onnxruntime gives 0 below 1e-16."""
    one = graph.constant(1.0)
    return graph.add("Div", one, graph.add("Add", one, graph.add("Exp", graph.add("Neg", scores))))


def add_second_class(graph: GraphBuilder, scores: str, above: str = "Greater") -> str:
    """Add the label of two classes [rows]: the second one if its `scores` [rows, 1] are above 0.

    With `above` "GreaterOrEqual" it is so at 0, too.
    """
    label = graph.add("Cast", graph.add(above, scores, graph.constant(0.0)), to=INT64)
    return graph.add("Squeeze", label, graph.constant([1], np.int64))


def add_both_classes(graph: GraphBuilder, second: str) -> str:
    """Add the probabilities [rows, 2] of two classes, given those of the second one [rows, 1]."""
    first = graph.add("Sub", graph.constant(1.0), second)
    return graph.add("Concat", first, second, axis=1)


def add_two_classes(graph: GraphBuilder, scores: str, above: str = "Greater") -> tuple[str, str]:
    """Add the logistic link of two classes; return labels [rows] and probabilities [rows, 2].

    `scores` [rows, 1] are of the second class; for `above` see `add_second_class`.
    """
    label = add_second_class(graph, scores, above)
    return label, add_both_classes(graph, add_logistic(graph, scores))


def add_classes(graph: GraphBuilder, scores: str) -> tuple[str, str]:
    """Add the softmax of more classes; return labels [rows] and probabilities [rows, classes].

    The label is the first of the largest `scores` [rows, classes].
    """
    label = graph.add("ArgMax", scores, axis=1, keepdims=0)
    return label, graph.add("Softmax", scores, axis=1)
