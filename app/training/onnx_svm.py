"""Write support vector machines as ONNX, in float64; onnxruntime's own operator has float32.

The formulas are those of libsvm: https://www.csie.ntu.edu.tw/~cjlin/papers/libsvm.pdf.
"""

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVR

from app.training.onnx_graph import DOUBLE, GraphBuilder, NotExportable
from app.training.parity import BOUND

MAX_WEIGHTS = 5_000_000  # of support vectors in pairs of labels: 40 MB; libsvm holds far fewer


def add_svm_regressor(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `SVR`; return the predictions [rows]."""
    kernel = _add_kernel(graph, model, x)
    product = graph.add("MatMul", kernel, graph.constant(model.dual_coef_[0]))
    return (graph.add("Add", product, graph.constant(model.intercept_)),)


def add_svm_classifier(graph: GraphBuilder, model: Any, x: str) -> tuple[str, ...]:
    """Add `SVC` without probabilities; return the labels [rows].

    Each pair of classes votes for one of them; of classes with equal votes the first one wins.
    Raises `NotExportable` for the options that change this, for too many labels, and for numbers
    so large that the order of a sum decides: without probabilities, labels alone would not show it.
    """
    if hasattr(model, "predict_proba") or model.break_ties:
        option = "break_ties" if model.break_ties else "probability"
        raise NotExportable(f"support vectors with {option} are not written as ONNX")
    labels = len(model.classes_)
    if len(model.support_vectors_) * labels * (labels - 1) // 2 > MAX_WEIGHTS:
        raise NotExportable(
            f"{len(model.support_vectors_):,} support vectors of {labels:,} labels are too many: "
            "ONNX needs a weight of each vector for each pair of labels"
        )
    if _rounding_error(model) > BOUND:  # the scores at the margin are -1 and 1
        raise NotExportable(
            "ONNX sums in another order, which may change labels for numbers that large; scale the "
            "columns"
        )
    kernel = _add_kernel(graph, model, x)
    weights, intercepts = graph.constant(_pair_weights(model)), graph.constant(model._intercept_)
    scores = graph.add("Add", graph.add("MatMul", kernel, weights), intercepts)  # [rows, pairs]
    first = graph.add("Cast", graph.add("Greater", scores, graph.constant(0.0)), to=DOUBLE)
    # All votes are for the second class of each pair, except those that are for the first.
    count = len(model.classes_)
    pairs = np.array(list(combinations(range(count), 2)))
    classes = np.arange(count)
    firsts, seconds = (pairs[:, [place]] == classes for place in (0, 1))
    moved = graph.add("MatMul", first, graph.constant(firsts.astype(float) - seconds))
    votes = graph.add("Add", moved, graph.constant(seconds.sum(axis=0)))
    return (graph.add("ArgMax", votes, axis=1, keepdims=0),)


def _add_kernel(graph: GraphBuilder, model: Any, x: str) -> str:
    """Add the kernel of each row with each support vector, [rows, vectors]."""
    vectors = model.support_vectors_
    if not len(vectors):  # onnxruntime multiplies wrongly by empty matrices
        raise NotExportable("the model has no support vectors, which ONNX cannot hold")
    if model.kernel == "rbf":
        return _add_rbf(graph, vectors, model._gamma, x)
    if model.kernel == "linear":
        return graph.add("MatMul", x, graph.constant(vectors.T))
    # Not as a product of its own, because onnxruntime fuses the factor of a matrix in float32.
    scaled = graph.add("MatMul", x, graph.constant(model._gamma * vectors.T))
    moved = graph.add("Add", scaled, graph.constant(model.coef0))
    if model.kernel == "sigmoid":
        return graph.add("Tanh", moved)
    return graph.add("Pow", moved, graph.constant(model.degree))


def _add_rbf(graph: GraphBuilder, vectors: npt.NDArray[np.float64], gamma: float, x: str) -> str:
    """Add exp(-gamma |x - v|^2). Both are centred, because |x|^2 - 2 x v + |v|^2 would cancel."""
    centre = vectors.mean(axis=0)
    vectors = vectors - centre
    x = graph.add("Sub", x, graph.constant(centre))
    squares = graph.add("ReduceSumSquare", x, graph.constant([1], np.int64), keepdims=1)
    product = graph.add("MatMul", x, graph.constant(-2 * vectors.T))
    squares = graph.add("Add", squares, graph.constant((vectors**2).sum(axis=1)))
    distance = graph.add("Max", graph.add("Add", squares, product), graph.constant(0.0))
    return graph.add("Exp", graph.add("Mul", distance, graph.constant(-gamma)))


def check_rounding(model: Any, scale: float) -> None:
    """Raise `NotExportable` for `SVR` if the order of a sum may decide a millionth of `scale`.

    Rows that are near a support vector would show it, which test rows need not be.
    """
    if isinstance(model, SVR) and len(model.support_) and _rounding_error(model) > BOUND * scale:
        raise NotExportable(
            "ONNX sums in another order, which may change answers for numbers that large; scale "
            "the columns"
        )


def _rounding_error(model: Any) -> float:
    """Return about how far two orders of a sum may change a score."""
    vectors = model.support_vectors_
    largest = float((vectors**2).sum(axis=1).max(initial=0.0))
    match model.kernel:
        case "rbf":  # of the squared distances, because a kernel is at most 1
            centred = vectors - vectors.mean(axis=0)
            kernel = 4 * model._gamma * float((centred**2).sum(axis=1).max(initial=0.0))
        case "poly":
            kernel = model.degree * (model._gamma * largest + abs(model.coef0)) ** model.degree
        case "sigmoid":
            kernel = model._gamma * largest
        case _:
            kernel = largest
    return float(np.finfo(float).eps * kernel * np.abs(model._dual_coef_).sum())


def _pair_weights(model: Any) -> npt.NDArray[np.float64]:
    """Return the weight of each support vector in each pair of classes, [vectors, pairs]."""
    coefficients = model._dual_coef_
    if len(coefficients) < len(model.classes_) - 1:
        raise NotExportable("a class has no row with a weight, so its pairs have no vectors")
    ends = np.cumsum(model._n_support)
    of = [slice(end - count, end) for end, count in zip(ends, model._n_support, strict=True)]
    columns = []
    for i, j in combinations(range(len(model.classes_)), 2):
        column = np.zeros(coefficients.shape[1])
        column[of[i]] = coefficients[j - 1, of[i]]
        column[of[j]] = coefficients[i, of[j]]
        columns.append(column)
    return np.stack(columns, axis=1)
