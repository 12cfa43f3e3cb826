"""Write gradient boosting as ONNX.

Its trees compare float32 inputs with float64 thresholds; all sums are of float64.
"""

from typing import Any

import numpy as np

from app.training.onnx_forest import add_float32_inputs, tree_nodes
from app.training.onnx_graph import GraphBuilder
from app.training.onnx_links import add_both_classes, add_classes, add_logistic, add_second_class
from app.training.onnx_tree_ensemble import add_ensemble, constant_tree

_AT_ZERO = "GreaterOrEqual"  # a score of 0 is the second class


def add_gradient_boosting_regressor(graph: GraphBuilder, booster: Any, x: str) -> tuple[str, ...]:
    """Add `GradientBoostingRegressor`; return the predictions [rows]."""
    return (graph.add("Squeeze", _add_raw(graph, booster, x), graph.constant([1], np.int64)),)


def add_gradient_boosting_classifier(graph: GraphBuilder, booster: Any, x: str) -> tuple[str, ...]:
    """Add `GradientBoostingClassifier`; return labels [rows] and probabilities [rows, classes]."""
    raw = _add_raw(graph, booster, x)
    if len(booster.classes_) > 2:
        return add_classes(graph, raw)
    label = add_second_class(graph, raw, _AT_ZERO)
    if booster.loss == "exponential":  # whose score is half the logarithm of the odds
        raw = graph.add("Mul", raw, graph.constant(2.0))
    return label, add_both_classes(graph, add_logistic(graph, raw))


def _add_raw(graph: GraphBuilder, booster: Any, x: str) -> str:
    """Add the sums of the trees, before the link; return their name.

    The first trees are the baseline, so that all is summed in scikit-learn's order.
    """
    # The baseline is the same for each row, whatever its columns.
    baseline = booster._raw_predict_init(np.zeros((1, booster.n_features_in_)))[0]
    trees = [constant_tree(value, target) for target, value in enumerate(baseline)]
    for stage in booster.estimators_:
        for target, each in enumerate(stage):
            values = booster.learning_rate * each.tree_.value[:, 0, 0]
            trees.append(tree_nodes(each.tree_, values, target))
    return add_ensemble(graph, trees, add_float32_inputs(graph, x), targets=len(baseline))
