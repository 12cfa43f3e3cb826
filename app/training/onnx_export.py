"""Export a fitted pipeline to ONNX."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import skl2onnx
from onnx import TensorProto
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline

from app.protocol.estimators import ESTIMATORS

Converter = Callable[[Any, Any, Any], None]  # scope, operator, container: see skl2onnx

_OPSETS = {"": 18, "ai.onnx.ml": 3}  # 3 is the first whose trees hold float64


def _convert_forest(scope: Any, operator: Any, container: Any) -> None:
    """Add a forest as one operator to `container`, in whole arrays.

    skl2onnx builds the same operator node by node, which takes several times as long as the fit of
    deep trees.
    """
    forest = operator.raw_operator
    trees = [each.tree_ for each in forest.estimators_]
    counts = [tree.node_count for tree in trees]
    ids = {
        "treeids": np.repeat(np.arange(len(trees)), counts),
        "nodeids": np.concatenate([np.arange(count) for count in counts]),
    }
    left = np.concatenate([tree.children_left for tree in trees])
    inner = left != -1

    def each(name: str) -> npt.NDArray[Any]:
        """Return an attribute of the nodes of all trees, 0 for the leaves."""
        values = np.concatenate([getattr(tree, name) for tree in trees])
        return np.where(inner, values, np.zeros((), values.dtype))

    weights = np.concatenate([tree.value[:, 0] for tree in trees])[~inner]
    share = 1.0 / len(trees)
    if classifies := is_classifier(forest):
        weights = weights * (share / weights.sum(axis=1, keepdims=True))
        weights = (
            weights[:, 1:] if weights.shape[1] == 2 else weights
        )  # of two, one implies the other
    else:
        weights = weights * share
    width = weights.shape[1]
    kind = "class" if classifies else "target"
    more = {"classlabels_int64s": forest.classes_.tolist()} if classifies else {"n_targets": 1}
    name = "TreeEnsembleClassifier" if classifies else "TreeEnsembleRegressor"
    container.add_node(
        name,
        operator.input_full_names,
        [output.full_name for output in operator.outputs],
        op_domain="ai.onnx.ml",
        op_version=_OPSETS["ai.onnx.ml"],
        name=scope.get_unique_operator_name(name),
        post_transform="NONE",
        **{f"nodes_{key}": value.tolist() for key, value in ids.items()},
        nodes_modes=np.where(inner, "BRANCH_LEQ", "LEAF").tolist(),
        nodes_featureids=each("feature").tolist(),
        nodes_values=_below(each("threshold")),
        nodes_truenodeids=each("children_left").tolist(),
        nodes_falsenodeids=each("children_right").tolist(),
        **{f"{kind}_{key}": np.repeat(value[~inner], width).tolist() for key, value in ids.items()},
        **{f"{kind}_ids": list(range(width)) * len(weights)},
        **{f"{kind}_weights": weights.ravel().astype(np.float32)},
        **more,
    )


def _below(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the largest float32 at or below each threshold.

    ONNX stores float32 thresholds, and the rows it compares are float32.
    """
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


CONVERTERS: Mapping[type, Converter] = dict.fromkeys(
    [RandomForestClassifier, RandomForestRegressor], _convert_forest
)


def to_onnx(
    pipeline: Pipeline,
    estimator: str,
    numbers: int,
    texts: int,
    *,
    converters: Mapping[type, Converter] = CONVERTERS,
) -> bytes:
    """Return the ONNX file of a fitted pipeline whose estimator has the name `estimator`.

    Its inputs are `number` (float64) and `text`, matrices of `numbers` and `texts` columns. An
    input without columns is left out. `converters` replace those of skl2onnx.
    """
    spec = ESTIMATORS[estimator]
    casts = [
        (f"cast{i}", CastTransformer(np.dtype(name).type)) for i, name in enumerate(spec.casts)
    ]
    final = pipeline.named_steps["estimator"]
    options = {**({"zipmap": False} if is_classifier(final) else {}), **spec.onnx_options}
    if isinstance(getattr(final, "intercept_", None), float):  # without fit_intercept
        final.intercept_ = np.float64(final.intercept_)  # skl2onnx reshapes it
    inputs = [
        ("number", DoubleTensorType([None, numbers])),
        ("text", StringTensorType([None, texts])),
    ]
    graph = skl2onnx.convert_sklearn(
        Pipeline([*pipeline.steps[:-1], *casts, pipeline.steps[-1]]),
        name="warren",
        initial_types=[each for each in inputs if each[1].shape[1]],
        options={id(final): options} if options else None,
        target_opset=_OPSETS,
        custom_conversion_functions=dict(converters),
    )
    # Trees of float64 return float32, although skl2onnx declares float64.
    trees = {name for node in graph.graph.node if "Tree" in node.op_type for name in node.output}
    for output in graph.graph.output:
        if output.name in trees and output.type.tensor_type.elem_type == TensorProto.DOUBLE:
            output.type.tensor_type.elem_type = TensorProto.FLOAT
    del graph.metadata_props[:]
    file: bytes = graph.SerializeToString()
    return file
