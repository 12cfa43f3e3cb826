"""Write the steps before the estimator as ONNX, in float64."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from app.training.onnx_graph import DOUBLE, GraphBuilder


def add_columns(
    graph: GraphBuilder, columns: ColumnTransformer, number: str | None, text: str | None
) -> str:
    """Add the steps that `preprocessing_steps` made; return the matrix [rows, columns].

    `number` and `text` are the graph's inputs; None if it has no such columns.
    """
    steps = columns.named_transformers_
    blocks = []
    if number is not None:
        blocks.append(_impute(graph, steps["number"], number))
    if text is not None:
        blocks.append(_encode(graph, steps["text"], text))
    return graph.add("Concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]


def _impute(graph: GraphBuilder, imputer: SimpleImputer, number: str) -> str:
    """Add the imputer. onnxruntime's own operator computes in float32."""
    statistics = graph.constant(imputer.statistics_)
    return graph.add("Where", graph.add("IsNaN", number), statistics, number)


def _encode(graph: GraphBuilder, encoder: OneHotEncoder, text: str) -> str:
    """Add a column of 0 and 1 for each category; all are 0 for a text that is none."""
    blocks = []
    for place, categories in enumerate(encoder.categories_):
        column = graph.add("Gather", text, graph.constant(place, np.int64), axis=1)
        blocks.append(
            graph.add(
                "OneHotEncoder",
                column,
                domain="ai.onnx.ml",
                cats_strings=[str(each) for each in categories],
                zeros=1,
            )
        )
    joined = graph.add("Concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]
    return graph.add("Cast", joined, to=DOUBLE)
