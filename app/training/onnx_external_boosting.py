"""Write boosting of XGBoost and LightGBM as ONNX.

LightGBM computes in float64, XGBoost in float32, and so do their graphs: they compare the same
numbers, and sum them in the same order.
"""

import json
from typing import Any

import numpy as np
from onnx import TensorProto

from app.training.booster_trees import (
    lightgbm_model,
    lightgbm_trees,
    xgboost_model,
    xgboost_trees,
)
from app.training.onnx_graph import DOUBLE, GraphBuilder, NotExportable
from app.training.onnx_links import add_both_classes, add_logistic, add_second_class
from app.training.onnx_tree_ensemble import add_ensemble, constant_tree

_LOGARITHMIC = {"count:poisson", "reg:gamma", "reg:tweedie", "poisson", "gamma", "tweedie"}


def add_xgboost_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `XGBRegressor`; return the predictions [rows]."""
    learner = xgboost_model(model)
    return (_add_prediction(graph, _add_margins(graph, learner, x), learner["objective"]["name"]),)


def add_xgboost_classifier(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `XGBClassifier`; return the labels [rows] and probabilities [rows, classes].

    Of two classes the second one is the label if its probability is above a half.
    """
    raw = _add_margins(graph, xgboost_model(model), x)
    if len(model.classes_) == 2:
        label = add_second_class(graph, raw)
        return label, add_both_classes(graph, add_logistic(graph, raw))
    shares = graph.add("Softmax", raw, axis=1)
    return graph.add("ArgMax", shares, axis=1, keepdims=0), shares


def add_lightgbm_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LGBMRegressor`; return the predictions [rows]."""
    raw, objective = _add_scores(graph, model, x)
    return (_add_prediction(graph, raw, objective),)


def add_lightgbm_classifier(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `LGBMClassifier`; return the labels [rows] and probabilities [rows, classes].

    The label is the first of the most probable classes.
    """
    raw, objective = _add_scores(graph, model, x)
    if objective == "binary":
        shares = add_both_classes(graph, add_logistic(graph, raw))
    else:
        shares = graph.add("Softmax", raw, axis=1)
    return graph.add("ArgMax", shares, axis=1, keepdims=0), shares


def _add_margins(graph: GraphBuilder, learner: dict[str, Any], x: str) -> str:
    """Add the sums of XGBoost's trees [rows, targets], which begin with the base score."""
    score = json.loads(learner["learner_model_param"]["base_score"].lower())
    base = np.array(score if isinstance(score, list) else [score], np.float64)
    objective = learner["objective"]["name"]
    if objective == "binary:logistic":
        base = -np.log(1 / base - 1)
    elif objective in _LOGARITHMIC:
        base = np.log(base)
    trees = [constant_tree(value, target) for target, value in enumerate(base)]
    trees += xgboost_trees(learner)
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    raw = add_ensemble(graph, trees, x, targets=len(base), kind=np.float32)
    return graph.add("Cast", raw, to=DOUBLE)


def _add_scores(graph: GraphBuilder, model: Any, x: str) -> tuple[str, str]:
    """Add the sums of LightGBM's trees [rows, targets]; return their name and the objective's."""
    head, _ = lightgbm_model(model)
    if "average_output" in head:
        raise NotExportable("the boosting_type rf is not written as ONNX")
    targets = int(head["num_tree_per_iteration"])
    raw = add_ensemble(graph, lightgbm_trees(model), x, targets=targets)
    return raw, head["objective"].split()[0]


def _add_prediction(graph: GraphBuilder, raw: str, objective: str) -> str:
    """Add what a regressor makes of its sums [rows, 1]: their exponential, or themselves."""
    prediction = graph.add("Squeeze", raw, graph.constant([1], np.int64))
    return graph.add("Exp", prediction) if objective in _LOGARITHMIC else prediction
