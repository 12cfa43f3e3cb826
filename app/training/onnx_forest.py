"""Write forests and single trees as ONNX.

Their trees compare float32 inputs with float64 thresholds; all sums are of float64.
"""

from typing import Any

import numpy as np
from onnx import TensorProto

from app.training.onnx_graph import DOUBLE, GraphBuilder
from app.training.onnx_tree_ensemble import (
    LEAF,
    Array,
    TreeNodes,
    add_ensemble,
    check_depth,
    constant_tree,
)


def tree_nodes(tree: Any, values: Array, target: int = 0) -> TreeNodes:
    """Return the nodes of scikit-learn's `Tree`, whose answers are `values` [nodes].

    Raises `NotExportable`.
    """
    check_depth(tree.max_depth)
    if tree.node_count == 1:
        return constant_tree(values[0], target)
    return TreeNodes(
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        threshold=tree.threshold,
        missing_left=tree.missing_go_to_left,
        value=values,
        target=target,
    )


def add_float32_inputs(graph: GraphBuilder, x: str) -> str:
    """Add the casts of inputs to float32, and back to float64; return their name."""
    return graph.add("Cast", graph.add("Cast", x, to=TensorProto.FLOAT), to=DOUBLE)


def add_forest_regressor(graph: GraphBuilder, forest: Any, x: str) -> tuple[str, ...]:
    """Add a regressing forest or tree; return the predictions [rows]."""
    trees = [tree_nodes(each, each.value[:, 0, 0]) for each in _trees(forest)]
    mean = add_ensemble(graph, trees, add_float32_inputs(graph, x), average=True)
    return (graph.add("Squeeze", mean, graph.constant([1], np.int64)),)


def add_forest_classifier(graph: GraphBuilder, forest: Any, x: str) -> tuple[str, ...]:
    """Add a classifying forest or tree; return labels [rows], probabilities [rows, classes].

    A tree answers the place of its leaf's probabilities in a matrix, because a leaf of the operator
    holds one number. Equal probabilities stay equal, because they are summed as scikit-learn does.
    """
    trees = _trees(forest)
    places, probabilities = _leaf_probabilities(trees)
    nodes = [
        tree_nodes(*each, target) for target, each in enumerate(zip(trees, places, strict=True))
    ]
    found = add_ensemble(graph, nodes, add_float32_inputs(graph, x), targets=len(trees))
    found = graph.add("Cast", found, to=TensorProto.INT32)
    leaves = graph.add("Constant", arrays=[("value", probabilities)])
    by_tree = graph.add("Gather", leaves, found, axis=0)
    mean = graph.add("ReduceMean", by_tree, graph.constant([1], np.int64), keepdims=0)
    return graph.add("ArgMax", mean, axis=1, keepdims=0), mean


def _trees(forest: Any) -> list[Any]:
    """Return scikit-learn's `Tree` of each tree."""
    return [each.tree_ for each in getattr(forest, "estimators_", [forest])]


def _leaf_probabilities(trees: list[Any]) -> tuple[list[Array], Array]:
    """Return the place of each node's probabilities, by tree, and the probabilities of all places.

    They are [places, classes]. Pure leaves of a class, which most leaves are, share a place.
    """
    classes = trees[0].value.shape[2]
    places, rows, count = [], [np.eye(classes)], classes
    for tree in trees:
        values = tree.value[:, 0, :]
        place = values.argmax(axis=1).astype(np.int32)
        mixed = (tree.children_left == LEAF) & (values.max(axis=1) != 1)
        found = int(mixed.sum())
        place[mixed] = np.arange(count, count + found)
        places.append(place)
        rows.append(values[mixed])
        count += found
    return places, np.concatenate(rows)
