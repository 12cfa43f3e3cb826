"""Write histogram boosting as ONNX, in float64."""

from typing import Any

import numpy as np

from app.training.onnx_graph import GraphBuilder
from app.training.onnx_links import add_classes, add_two_classes
from app.training.onnx_tree_ensemble import (
    LEAF,
    Array,
    TreeNodes,
    add_ensemble,
    check_depth,
    constant_tree,
)

_NO_CODE = np.array([256.0])  # above the codes of all categories


def add_boosting_regressor(graph: GraphBuilder, booster: Any, x: str) -> tuple[str, ...]:
    """Add `HistGradientBoostingRegressor`; return the predictions [rows]."""
    raw = graph.add("Squeeze", _add_raw(graph, booster, x), graph.constant([1], np.int64))
    return (graph.add("Exp", raw) if booster.loss in ("gamma", "poisson") else raw,)


def add_boosting_classifier(graph: GraphBuilder, booster: Any, x: str) -> tuple[str, ...]:
    """Add `HistGradientBoostingClassifier`; return the labels and probabilities [rows, classes]."""
    link = add_two_classes if len(booster.classes_) == 2 else add_classes
    return link(graph, _add_raw(graph, booster, x))


def _add_raw(graph: GraphBuilder, booster: Any, x: str) -> str:
    """Add the sums of the trees, before the link; return their name.

    The first trees are the baseline, so that all is summed in scikit-learn's order.
    """
    baseline = booster._baseline_prediction.ravel()
    trees = [constant_tree(value, target) for target, value in enumerate(baseline)]
    for iteration in booster._predictors:
        trees += [_tree_nodes(predictor, target) for target, predictor in enumerate(iteration)]
    if booster.is_categorical_ is not None:
        x = _add_codes(graph, booster, x)
    return add_ensemble(graph, trees, x, targets=len(baseline))


def _add_codes(graph: GraphBuilder, booster: Any, x: str) -> str:
    """Add what the booster does to categorical columns; return the name of the matrix.

    They become the first ones, and their categories numbers from 0. All other values are missing.
    """
    encoder = booster._preprocessor.named_transformers_["encoder"]
    blocks = []
    for column, categories in zip(
        np.flatnonzero(booster.is_categorical_), encoder.categories_, strict=True
    ):
        known = categories[~np.isnan(categories)]
        blocks.append(
            graph.add(
                "LabelEncoder",
                graph.add("Gather", x, graph.constant([column], np.int64), axis=1),
                domain="ai.onnx.ml",
                arrays=[
                    ("keys_tensor", known),
                    ("values_tensor", np.arange(len(known), dtype=np.float64)),
                    ("default_tensor", np.array([np.nan])),
                ],
            )
        )
    others = np.flatnonzero(~booster.is_categorical_)
    if len(others):
        blocks.append(graph.add("Gather", x, graph.constant(others, np.int64), axis=1))
    return graph.add("Concat", *blocks, axis=1)


def _tree_nodes(predictor: Any, target: int) -> TreeNodes:
    """Return the nodes of scikit-learn's `TreePredictor`."""
    check_depth(predictor.get_max_depth())
    nodes = predictor.nodes
    if len(nodes) == 1:
        return constant_tree(nodes["value"][0], target)
    leaf = nodes["is_leaf"] == 1
    left = np.where(leaf, LEAF, nodes["left"].astype(np.int64))
    right = np.where(leaf, LEAF, nodes["right"].astype(np.int64))
    members: dict[int, Array] = {}
    for node in np.flatnonzero(nodes["is_categorical"] & ~leaf):
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        codes = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        members[int(node)] = codes.astype(np.float64) if len(codes) else _NO_CODE
    return TreeNodes(
        left=left,
        right=right,
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"],
        value=nodes["value"],
        target=target,
        members=members,
    )
