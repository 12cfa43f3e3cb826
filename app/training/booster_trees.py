"""Read the trees that XGBoost and LightGBM have grown, from the formats in which they save models.

https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html; LightGBM documents its text
format in its source, `src/io/tree.cpp`.
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from app.training.onnx_graph import NotExportable
from app.training.onnx_tree_ensemble import (
    LEAF,
    Array,
    TreeNodes,
    check_depth,
    constant_tree,
)

_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12  # bits of LightGBM's decision_type
_MISSING_NONE, _MISSING_NAN = 0, 8


def xgboost_model(estimator: Any) -> dict[str, Any]:
    """Return the model of a fitted estimator of XGBoost, as its JSON has it.

    Raises `NotExportable` for another booster than `gbtree`, and where trees have weights.
    """
    learner: dict[str, Any] = json.loads(estimator.get_booster().save_raw("json"))["learner"]
    booster = learner["gradient_booster"]
    # XGBoost 3.4 calls `dart` a `gbtree`, too; once a tree was dropped it has weights.
    name = "dart" if "weight_drop" in booster.get("model", {}) else booster["name"]
    if name != "gbtree":
        raise NotExportable(f"the booster {name} is not written as ONNX")
    return learner


def xgboost_trees(learner: dict[str, Any]) -> list[TreeNodes]:
    """Return the trees of a model of XGBoost, each with its class as target.

    A row goes to the left if its number is below a threshold of float32, which is at most the
    largest float32 below that. Raises `NotExportable` for splits by category.
    """
    model = learner["gradient_booster"]["model"]
    return [
        _xgboost_nodes(tree, target)
        for tree, target in zip(model["trees"], model["tree_info"], strict=True)
    ]


def _xgboost_nodes(tree: dict[str, Any], target: int) -> TreeNodes:
    left = np.array(tree["left_children"])
    right = np.array(tree["right_children"])
    numbers = np.array(tree["split_conditions"], np.float32)
    if any(tree["split_type"]):
        raise NotExportable("splits by category are not written as ONNX")
    if len(left) == 1:
        return constant_tree(float(numbers[0]), target)
    check_depth(_depth(left, right))
    return TreeNodes(
        left=left,
        right=right,
        feature=np.array(tree["split_indices"]),
        threshold=np.nextafter(numbers, np.float32(-np.inf)).astype(np.float64),
        missing_left=np.array(tree["default_left"]),
        value=numbers.astype(np.float64),
        target=target,
    )


def lightgbm_model(estimator: Any) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the head and the trees of a fitted estimator of LightGBM, as its text has them."""
    text = estimator.booster_.model_to_string(importance_type="split")
    head, *blocks = text.partition("end of trees")[0].split("\nTree=")
    return _members(head), [_members(block) for block in blocks]


def lightgbm_trees(estimator: Any) -> list[TreeNodes]:
    """Return the trees of an estimator of LightGBM, each with its class as target.

    Raises `NotExportable` for splits by category, for trees of linear models, and where 0 counts
    as missing.
    """
    head, blocks = lightgbm_model(estimator)
    classes = int(head["num_tree_per_iteration"])
    return [_lightgbm_nodes(block, place % classes) for place, block in enumerate(blocks)]


def _lightgbm_nodes(tree: dict[str, str], target: int) -> TreeNodes:
    leaves = _numbers(tree["leaf_value"])
    if tree["num_leaves"] == "1":
        return constant_tree(float(leaves[0]), target)
    kinds = _places(tree["decision_type"])
    missing = kinds & _MISSING
    known = np.isin(missing, (_MISSING_NONE, _MISSING_NAN)).all()
    if (kinds & _CATEGORICAL).any() or tree["is_linear"] != "0" or not known:
        raise NotExportable("splits by category, or with 0 as missing, are not written as ONNX")
    threshold, count = _numbers(tree["threshold"]), len(kinds)
    # Leaves, which have negative numbers, become the nodes behind those with children.
    left, right = (
        np.where(each < 0, count + ~each, each)
        for each in (_places(tree["left_child"]), _places(tree["right_child"]))
    )
    none, zeros = np.full(count + 1, LEAF), np.zeros(count + 1)
    left, right = np.concatenate([left, none]), np.concatenate([right, none])
    check_depth(_depth(left, right))
    # A value that is missing where none was in the fit counts as 0.
    default = (kinds & _DEFAULT_LEFT) != 0
    default = np.where(missing == _MISSING_NAN, default, threshold >= 0)
    return TreeNodes(
        left=left,
        right=right,
        feature=np.concatenate([_places(tree["split_feature"]), none]),
        threshold=np.concatenate([threshold, zeros]),
        missing_left=np.concatenate([default, zeros]),
        value=np.concatenate([np.zeros(count), leaves]),
        target=target,
    )


def _members(block: str) -> dict[str, str]:
    """Return the lines `name=value` of a block."""
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value for name, _, value in pairs}


def _numbers(text: str) -> npt.NDArray[np.float64]:
    return np.array(text.split(), np.float64)


def _places(text: str) -> npt.NDArray[np.int64]:
    return np.array(text.split(), np.int64)


def _depth(left: Array, right: Array) -> int:
    """Return the levels of a tree, level by level from its root."""
    depth, level = 0, np.array([0])
    while True:
        below = np.concatenate([left[level], right[level]])
        level = below[below != LEAF]
        if not len(level):
            return depth
        depth += 1
