"""Fit a data frame and export it to ONNX.

With `estimators` and `metrics` this is all that knows scikit-learn.

Everything here runs in the child process of a training; see `consumer.trainer`.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import skl2onnx
import sklearn
from onnx import TensorProto
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from app import errors, metrics
from app.estimators import ESTIMATORS, build
from app.manifest import METADATA_KEY, Feature, Manifest
from app.messages import Training

MAX_CATEGORIES = 1000  # of a text column: each becomes a column of its own
_OPSETS = {"": 18, "ai.onnx.ml": 3}  # 3 is the first whose trees hold float64


def read(path: str, request: Training) -> pd.DataFrame:
    """Read the columns that `request` names from a CSV file. Raises `errors.BadData`."""
    try:
        header = [str(column) for column in pd.read_csv(path, nrows=0).columns]
        for field, wanted in [("features", request.features), ("target", [request.target])]:
            if missing := [column for column in wanted if column not in header]:
                raise errors.BadData(
                    f"{field}: data set {request.dataset_id} has no column {', '.join(missing)}; "
                    f"it has {', '.join(header)}",
                    field=field,
                    columns=header,
                )
        # All columns are read: pandas checks the number of fields only where it takes every one.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(path, index_col=False, low_memory=False)
        return frame[[*request.features, request.target]]
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        UnicodeDecodeError,
    ) as error:
        raise errors.BadData(
            f"data set {request.dataset_id} is no readable CSV: {str(error).strip()}",
            field="dataset_id",
        ) from None


@dataclass(frozen=True)
class Fitted:
    """A fitted model: its ONNX graph, its manifest, and what scikit-learn says of the test rows.

    `inputs` are the test rows as the graph takes them, `expected` the predictions for them or, of a
    classifier, the probabilities.
    """

    graph: Any
    manifest: Manifest
    inputs: dict[str, npt.NDArray[Any]]
    expected: npt.NDArray[np.float64]

    def encode(self, parity: float) -> tuple[bytes, Manifest]:
        """Return the ONNX file with the manifest inside, and the manifest with `parity` in it."""
        manifest = self.manifest.model_copy(update={"parity": parity})
        del self.graph.metadata_props[:]
        self.graph.metadata_props.add(key=METADATA_KEY, value=manifest.model_dump_json())
        return self.graph.SerializeToString(), manifest


def fit(frame: pd.DataFrame, request: Training, model_id: str) -> Fitted:
    """Fit on one part of the rows, measure on the rest, export to ONNX. Raises `errors.BadData`.

    Rows without a target are left out. Regressors are measured by rmse, mae and r2; classifiers by
    accuracy, f1 (macro average) and log_loss.
    """
    estimator = build(request.estimator, request.params)
    rows = frame.dropna(subset=[request.target])
    if rows.empty:
        raise errors.BadData(f"target: column {request.target} is empty", field="target")
    features = [_feature(frame[name]) for name in request.features]
    labels, y = _target(rows[request.target], is_classifier(estimator))
    x, numbers = _matrix(rows, features)
    split = {"test_size": request.test_size, "random_state": 42}
    try:
        # Warnings speak of convergence and of coming versions; the metrics tell the user the first.
        with warnings.catch_warnings(action="ignore"):
            x_train, x_test, y_train, y_test = train_test_split(x, y, **split)
            if labels is not None and len(np.unique(y_train)) < 2:
                raise ValueError("only one class is left in the training rows")
            columns = _columns(features, numbers)
            pipeline = Pipeline([*columns, ("estimator", estimator)]).fit(x_train, y_train)
            if labels is None:
                expected = pipeline.predict(x_test)
                measured = metrics.regression(y_test, expected)
            else:
                expected = pipeline.predict_proba(x_test)
                labels = [labels[code] for code in estimator.classes_]
                measured = metrics.classification(y_test, expected, estimator.classes_)
            graph = _export(pipeline, request.estimator, numbers, x.shape[1] - numbers)
    except ValueError as error:
        raise errors.BadData(f"{request.estimator} cannot learn from this: {error}") from None
    manifest = Manifest(
        model_id=model_id,
        dataset_id=request.dataset_id,
        task="regression" if labels is None else "classification",
        estimator=request.estimator,
        params=request.params,
        features=features,
        target=request.target,
        labels=labels,
        rows={"train": len(y_train), "test": len(y_test), "dropped": len(frame) - len(rows)},
        metrics={name: value for name, value in measured.items() if np.isfinite(value)},
        parity=None,
        versions={module.__name__: module.__version__ for module in (sklearn, skl2onnx, np, pd)},
    )
    inputs = {"number": x_test[:, :numbers].astype(np.float64), "text": x_test[:, numbers:]}
    return Fitted(graph, manifest, {k: v for k, v in inputs.items() if v.shape[1]}, expected)


def _feature(column: "pd.Series[Any]") -> Feature:
    name, nullable = str(column.name), bool(column.isna().any())
    if column.isna().all():
        raise errors.BadData(f"features: column {name} is empty", field="features")
    if pd.api.types.is_bool_dtype(column.dropna().infer_objects()):
        return Feature(name=name, type="boolean", nullable=nullable)
    if pd.api.types.is_numeric_dtype(column):
        return Feature(name=name, type="number", nullable=nullable)
    if (distinct := column.nunique()) > MAX_CATEGORIES:
        raise errors.BadData(
            f"features: text column {name} has {distinct} different values; "
            f"at most {MAX_CATEGORIES} can become columns of their own",
            field="features",
        )
    return Feature(name=name, type="text", nullable=nullable)


def _matrix(rows: pd.DataFrame, features: list[Feature]) -> tuple[npt.NDArray[Any], int]:
    """Return the rows, numbers left and texts right, and how many are numbers.

    Missing text is "", a category like any other.
    """
    numbers = [f.name for f in features if f.type != "text"]
    texts = [f.name for f in features if f.type == "text"]
    left = rows[numbers].to_numpy(np.float64)
    if not texts:
        return left, len(numbers)
    right = rows[texts].astype(object).fillna("").astype(str).to_numpy(object)
    return np.hstack([left.astype(object), right]), len(numbers)


def _columns(features: list[Feature], numbers: int) -> list[tuple[str, ColumnTransformer]]:
    """Return the pipeline's first step; none where all are numbers and none is missing."""
    if all(f.type != "text" and not f.nullable for f in features):
        return []
    # onnxruntime imputes float32 only; the test rows then measure what that costs.
    impute = Pipeline(
        [
            ("cast", CastTransformer(np.float32)),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ]
    )
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    left, right = list(range(numbers)), list(range(numbers, len(features)))
    steps = [("number", impute, left), ("text", encode, right)]
    return [("columns", ColumnTransformer([step for step in steps if step[2]]))]


def _target(
    column: "pd.Series[Any]", classifies: bool
) -> tuple[list[Any] | None, npt.NDArray[Any]]:
    """Return the labels in order, None for a regressor; and the target as codes or numbers."""
    name = column.name
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not classifies:
        if not numeric:
            raise errors.BadData(
                f"target: column {name} holds text or booleans; a regressor needs numbers",
                field="target",
            )
        return None, column.to_numpy(np.float64)
    if numeric and not (column % 1 == 0).all():
        raise errors.BadData(
            f"target: column {name} holds fractions; a classifier needs classes", field="target"
        )
    classes = column.astype(np.int64) if numeric else column
    codes, labels = pd.factorize(classes, sort=True)
    if len(labels) < 2:
        raise errors.BadData(
            f"target: column {name} has {len(labels)} class; a classifier needs two", field="target"
        )
    return labels.tolist(), codes


def _export(pipeline: Pipeline, estimator: str, numbers: int, texts: int) -> Any:
    """Return the ONNX graph: inputs `number` (float64) and `text`, of [rows, columns] each."""
    casts = [
        (f"cast{i}", CastTransformer(dtype)) for i, dtype in enumerate(ESTIMATORS[estimator].casts)
    ]
    final = pipeline.named_steps["estimator"]
    options: dict[str, Any] = {"zipmap": False} if is_classifier(final) else {}
    if estimator.startswith("knn"):
        options["optim"] = "cdist"  # 50 times faster than the loop in plain ONNX operators
    inputs = [
        ("number", DoubleTensorType([None, numbers])),
        ("text", StringTensorType([None, texts])),
    ]
    graph = skl2onnx.to_onnx(
        Pipeline([*pipeline.steps[:-1], *casts, pipeline.steps[-1]]),
        initial_types=[each for each in inputs if each[1].shape[1]],
        options={id(final): options} if options else None,
        target_opset=_OPSETS,
    )
    # Trees of float64 answer in float32, whatever skl2onnx declares.
    trees = {name for node in graph.graph.node if "Tree" in node.op_type for name in node.output}
    for output in graph.graph.output:
        if output.name in trees and output.type.tensor_type.elem_type == TensorProto.DOUBLE:
            output.type.tensor_type.elem_type = TensorProto.FLOAT
    return graph
