"""Write the steps before the estimator as ONNX, in float64."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from app.training.onnx_graph import DOUBLE, GraphBuilder, NotExportable

_NO_CODE = -1  # of a text that is no category


def add_columns(
    graph: GraphBuilder, columns: ColumnTransformer, number: str | None, text: str | None
) -> str:
    """Add the steps that `preprocessing_steps` made; return the matrix [rows, columns].

    `number` and `text` are the graph's inputs; None if it has no such columns. Raises
    `NotExportable` for TF-IDF.
    """
    steps = columns.named_transformers_
    if any(isinstance(each, TfidfVectorizer) for each in steps.values()):
        raise NotExportable("TF-IDF is not written as ONNX")
    blocks = []
    if number is not None:
        blocks.append(_add_number_steps(graph, steps["number"], number))
    if text is not None:
        blocks.append(_encode(graph, steps["text"], text))
    return _joined(graph, blocks)


def _add_number_steps(graph: GraphBuilder, step: Any, number: str) -> str:
    """Add the steps that impute and scale, in their order."""
    for each in step if isinstance(step, Pipeline) else [step]:
        number = _NUMBER_STEPS[type(each)](graph, each, number)
    return number


def _impute(graph: GraphBuilder, imputer: SimpleImputer, number: str) -> str:
    """Add the imputer. onnxruntime's own operator computes in float32."""
    statistics = graph.constant(imputer.statistics_)
    return graph.add("Where", graph.add("IsNaN", number), statistics, number)


def _row(graph: GraphBuilder, values: npt.ArrayLike) -> str:
    """Add a number for each column.

    It has two axes, because onnxruntime takes a lone number for a factor that it fuses in float32.
    """
    return graph.constant(np.reshape(values, (1, -1)))


def _divided(graph: GraphBuilder, number: str, scale: npt.NDArray[np.float64]) -> str:
    """Add the division of each column by its scale."""
    divided = graph.add("Div", number, _row(graph, scale))
    if len(scale) > 1:
        return divided
    # onnxruntime would fuse the scale of a lone column into the next product, in float32.
    return graph.add("Reshape", divided, graph.constant([-1, 1], np.int64))


def _standardize(graph: GraphBuilder, scaler: StandardScaler, number: str) -> str:
    centred = graph.add("Sub", number, _row(graph, scaler.mean_))
    return _divided(graph, centred, scaler.scale_)


def _scale_to_range(graph: GraphBuilder, scaler: MinMaxScaler, number: str) -> str:
    scaled = graph.add("Mul", number, _row(graph, scaler.scale_))
    return graph.add("Add", scaled, _row(graph, scaler.min_))


def _scale_by_quartiles(graph: GraphBuilder, scaler: RobustScaler, number: str) -> str:
    centred = graph.add("Sub", number, _row(graph, scaler.center_))
    return _divided(graph, centred, scaler.scale_)


def _pass_through(_graph: GraphBuilder, _step: FunctionTransformer, number: str) -> str:
    return number


_NUMBER_STEPS: Mapping[type, Callable[[GraphBuilder, Any, str], str]] = {
    SimpleImputer: _impute,
    StandardScaler: _standardize,
    MinMaxScaler: _scale_to_range,
    RobustScaler: _scale_by_quartiles,
    FunctionTransformer: _pass_through,
}


def _encode(graph: GraphBuilder, step: Any, text: str) -> str:
    """Add what makes numbers of texts; return a matrix [rows, columns]."""
    if isinstance(step, Pipeline):  # of native categories, whose first step makes "" missing
        return _add_ordinals(graph, step[-1], text)
    if isinstance(step, OrdinalEncoder):
        return _add_ordinals(graph, step, text)
    if step.min_frequency is None:
        return _add_one_hot(graph, step, text)
    return _add_shared_one_hot(graph, step, text)


def _column(graph: GraphBuilder, text: str, place: int) -> str:
    """Add a column of the texts, [rows, 1]."""
    return graph.add("Gather", text, graph.constant([place], np.int64), axis=1)


def _joined(graph: GraphBuilder, blocks: list[str]) -> str:
    return graph.add("Concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]


def _add_one_hot(graph: GraphBuilder, encoder: OneHotEncoder, text: str) -> str:
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
    return graph.add("Cast", _joined(graph, blocks), to=DOUBLE)


def _add_shared_one_hot(graph: GraphBuilder, encoder: OneHotEncoder, text: str) -> str:
    """Add the same where rare categories, and texts that are none, share a column if there is one.

    The column of each category is that into which scikit-learn encodes it.
    """
    blocks = []
    for place, (known, rows) in enumerate(_each_category(encoder)):
        start = sum(len(_kept(encoder, each)) for each in range(place))
        width = len(_kept(encoder, place))
        codes = rows[:, start : start + width].argmax(axis=1)
        rare = encoder.infrequent_categories_[place]
        unknown = _NO_CODE if rare is None else width - 1
        code = _look_up(graph, _column(graph, text, place), known, codes, unknown)
        is_one = graph.add("Equal", code, graph.constant(np.arange(width)[np.newaxis], np.float64))
        blocks.append(is_one)
    return graph.add("Cast", _joined(graph, blocks), to=DOUBLE)


def _add_ordinals(graph: GraphBuilder, encoder: OrdinalEncoder, text: str) -> str:
    """Add the number of each category, and `unknown_value` for a text that is none."""
    return _joined(
        graph,
        [
            _look_up(
                graph, _column(graph, text, place), known, rows[:, place], encoder.unknown_value
            )
            for place, (known, rows) in enumerate(_each_category(encoder))
        ],
    )


def _kept(encoder: OneHotEncoder, place: int) -> list[Any]:
    """Return the categories of a column that have a column of their own, and the shared one."""
    rare = encoder.infrequent_categories_[place]
    known = list(encoder.categories_[place])
    return known if rare is None else [each for each in known if each not in set(rare)] + [None]


def _each_category(encoder: Any) -> list[tuple[list[str], npt.NDArray[np.float64]]]:
    """Return the categories of each column, and the rows into which scikit-learn encodes them."""
    found = []
    first = [each[0] for each in encoder.categories_]
    for place, categories in enumerate(encoder.categories_):
        known = [each for each in categories if isinstance(each, str)]  # NaN is a missing one
        rows = np.array([first] * len(known), object)
        rows[:, place] = known
        found.append((known, encoder.transform(rows)))
    return found


def _look_up(
    graph: GraphBuilder,
    text: str,
    known: list[str],
    codes: npt.NDArray[np.float64],
    unknown: float,
) -> str:
    """Add a number for each of the `known` texts, and `unknown` for others."""
    return graph.add(
        "LabelEncoder",
        text,
        domain="ai.onnx.ml",
        keys_strings=known or [""],
        arrays=[
            ("values_tensor", np.asarray(codes if known else [unknown], np.float64)),
            ("default_tensor", np.array([unknown], np.float64)),
        ],
    )
