"""Write trees as the operator `TreeEnsemble` of ai.onnx.ml 5, in whole arrays.

It computes in float64, as scikit-learn does: inputs, thresholds, leaf values and sums.
https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from app.training.onnx_graph import GraphBuilder, NotExportable

LEAF = -1  # the child of a leaf
MAX_DEPTH = 2_000  # onnxruntime loads trees by recursion: below 30,000, a stack of 8 MB overflows
MAX_NODES = 500_000  # of an operator, because loading one takes several times what it holds

_AVERAGE, _SUM = 0, 1  # values of aggregate_function
_LEQ, _MEMBER = 0, 6  # values of nodes_modes

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TreeNodes:
    """The nodes of a tree, the root first, in arrays [nodes].

    A row goes to the left if its `feature` is at most the `threshold`, or is missing where
    `missing_left` is set. `left` and `right` are places of nodes. At a leaf they are `LEAF`, and
    `value` is the answer. `target` is the place of the answer among those of the operator. By node,
    `members` are the values with which a row goes to the left, in place of a threshold.
    """

    left: Array
    right: Array
    feature: Array
    threshold: Array
    missing_left: Array
    value: Array
    target: int = 0
    members: Mapping[int, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.left)


def constant_tree(value: float, target: int = 0) -> TreeNodes:
    """Return a tree with one value.

    Its root has two leaves, because onnxruntime takes the place of a lone leaf for that of a node.
    """
    return TreeNodes(
        left=np.array([1, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF]),
        feature=np.zeros(3, np.int64),
        threshold=np.zeros(3),
        missing_left=np.zeros(3, bool),
        value=np.full(3, value),
        target=target,
    )


def check_depth(depth: int) -> None:
    """Raise `NotExportable` for a tree too deep for onnxruntime."""
    if depth > MAX_DEPTH:
        raise NotExportable(
            f"a tree is {depth:,} levels deep; onnxruntime reads at most {MAX_DEPTH:,}"
        )


def add_ensemble(
    graph: GraphBuilder,
    trees: Sequence[TreeNodes],
    x: str,
    *,
    targets: int = 1,
    average: bool = False,
    max_nodes: int = MAX_NODES,
    kind: type = np.float64,
) -> str:
    """Add operators for trees; return the name of the sums of their answers [rows, targets].

    `x` is the name of the inputs [rows, features] of the type `kind`, in which all is computed. The
    trees are summed in their order;
    with `average` the sums are means.
    """
    groups = list(_groups(trees, max_nodes))
    aggregate = _AVERAGE if average and len(groups) == 1 else _SUM
    sums = [
        graph.add(
            "TreeEnsemble",
            x,
            domain="ai.onnx.ml",
            n_targets=targets,
            aggregate_function=aggregate,
            arrays=_attributes(group, kind),
        )
        for group in groups
    ]
    if len(groups) == 1:
        return sums[0]
    total = graph.add("Sum", *sums)
    return graph.add("Div", total, graph.constant(len(trees))) if average else total


def _groups(trees: Sequence[TreeNodes], max_nodes: int) -> Iterator[list[TreeNodes]]:
    """Yield the trees in groups of at most `max_nodes`, or of one tree."""
    group: list[TreeNodes] = []
    count = 0
    for tree in trees:
        if group and count + len(tree) > max_nodes:
            yield group
            group, count = [], 0
        group.append(tree)
        count += len(tree)
    yield group


def _attributes(trees: list[TreeNodes], kind: type) -> Iterator[tuple[str, Array]]:
    """Yield the attributes of an operator; it holds nodes with children, and leaves, apart."""
    sizes = np.array([len(tree) for tree in trees])
    starts = np.cumsum(sizes, dtype=np.int32) - sizes.astype(np.int32)

    def joined(name: str, of: type) -> Array:
        return np.concatenate([getattr(tree, name) for tree in trees], dtype=of, casting="unsafe")

    left = joined("left", np.int32)
    inner = left != LEAF
    values = joined("value", kind)[~inner]
    targets = np.repeat(np.array([tree.target for tree in trees], np.int32), sizes)[~inner]
    kept, leaf = _distinct(values, targets)
    yield "leaf_weights", values[kept]
    yield "leaf_targetids", targets[kept]
    del values, targets
    place = np.empty(len(left), np.int32)  # of a node among those with children, or of its leaf
    place[inner], place[~inner] = np.arange(inner.sum()), leaf
    offset = np.repeat(starts, sizes)[inner]
    for branch, child in (("true", left), ("false", joined("right", np.int32))):
        reached = child[inner] + offset
        yield f"nodes_{branch}nodeids", place[reached]
        yield f"nodes_{branch}leafs", (~inner[reached]).astype(np.int8)
    yield "tree_roots", place[starts]
    yield "nodes_featureids", joined("feature", np.int32)[inner]
    yield "nodes_splits", joined("threshold", kind)[inner]
    missing = joined("missing_left", np.int8)[inner]
    if missing.any():
        yield "nodes_missing_value_tracks_true", missing
    modes = np.full(len(missing), _LEQ, np.uint8)
    members: list[Array] = []
    for start, tree in zip(starts, trees, strict=True):
        for node in sorted(tree.members):
            modes[place[start + node]] = _MEMBER
            members += [tree.members[node], np.array([np.nan])]
    yield "nodes_modes", modes
    if members:
        yield "membership_values", np.concatenate(members).astype(kind)


def _distinct(values: Array, targets: Array) -> tuple[Array, Array]:
    """Return the places of distinct pairs, and for each pair [pairs] its place among those."""
    order = np.lexsort((values, targets))
    values, targets = values[order], targets[order]
    first = np.ones(len(order), bool)
    first[1:] = (values[1:] != values[:-1]) | (targets[1:] != targets[:-1])
    place = np.empty(len(order), np.int32)
    place[order] = np.cumsum(first, dtype=np.int32) - 1
    return order[first], place
