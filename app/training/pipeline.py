"""Fit a data frame and export it to ONNX.

With `estimators`, `metrics`, `progress` and `export` this is all that knows scikit-learn.

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
from onnx import ModelProto
from skl2onnx.sklapi import CastTransformer
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from app import errors
from app.models.manifest import METADATA_KEY, Feature, TrainedManifest
from app.protocol.requests import TrainingSpec
from app.training import onnx_export, progress
from app.training.dataset import is_text
from app.training.estimators import build_estimator
from app.training.evaluation import classification_metrics, regression_metrics

MAX_CATEGORIES = 1000  # of a text column: each becomes a column of its own


@dataclass(frozen=True)
class FittedModel:
    """A fitted model: its ONNX file, its manifest, and what scikit-learn says of the test rows.

    `inputs` are the test rows as the graph takes them, `expected` the predictions for them or, of a
    classifier, the probabilities.
    """

    file: bytes
    manifest: TrainedManifest
    inputs: dict[str, npt.NDArray[Any]]
    expected: npt.NDArray[np.float64]

    def encode(self, parity: float) -> tuple[bytes, TrainedManifest]:
        """Return the ONNX file with the manifest inside, and the manifest with `parity` in it."""
        manifest = self.manifest.model_copy(update={"parity": parity})
        properties = ModelProto()
        properties.metadata_props.add(key=METADATA_KEY, value=manifest.model_dump_json())
        # Protobuf messages are merged by putting one behind the other.
        return self.file + properties.SerializeToString(), manifest


def fit_pipeline(
    frame: pd.DataFrame,
    request: TrainingSpec,
    model_id: str,
    on_progress: progress.Report = lambda _: None,
) -> FittedModel:
    """Fit on one part of the rows, measure on the rest, export to ONNX. Raises `errors.BadData`.

    `on_progress` is told how far the job is, from `progress.READ` to `progress.EXPORTED`, at most
    ten times a second; what follows is for the caller to report.

    Rows without a target are left out. Regressors are measured by rmse, mae and r2; classifiers by
    accuracy, f1 (macro average) and log_loss.
    """
    estimator = build_estimator(request.estimator, request.params)
    rows = frame.dropna(subset=[request.target])
    if rows.empty:
        raise errors.BadData("target", f"column {request.target} is empty")
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
            for _, step in columns:
                x_train = step.fit_transform(x_train)
            part = progress.between(on_progress, progress.READ, progress.FITTED)
            progress.fit_with_progress(estimator, x_train, y_train, part)
            pipeline = Pipeline([*columns, ("estimator", estimator)])
            if labels is None:
                expected = pipeline.predict(x_test)
                measured = regression_metrics(y_test, expected)
            else:
                expected = pipeline.predict_proba(x_test)
                labels = [labels[code] for code in estimator.classes_]
                measured = classification_metrics(y_test, expected, estimator.classes_)
            file = onnx_export.to_onnx(pipeline, request.estimator, numbers, x.shape[1] - numbers)
            on_progress(progress.EXPORTED)
    except ValueError as error:
        raise errors.BadData(None, f"{request.estimator} cannot learn from this: {error}") from None
    manifest = TrainedManifest(
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
        sample={f.name: _usual(rows[f.name], f) for f in features},
        versions={module.__name__: module.__version__ for module in (sklearn, skl2onnx, np, pd)},
    )
    rest = pd.DataFrame(x_test)
    inputs = {
        "number": np.ascontiguousarray(rest.iloc[:, :numbers], np.float64),
        "text": rest.iloc[:, numbers:].to_numpy(object),
    }
    return FittedModel(file, manifest, {k: v for k, v in inputs.items() if v.shape[1]}, expected)


def _feature(column: "pd.Series[Any]") -> Feature:
    name, nullable = str(column.name), bool(column.isna().any())
    if column.isna().all():
        raise errors.BadData("features", f"column {name} is empty")
    if not is_text(column):
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        return Feature(name=name, type="number" if numeric else "boolean", nullable=nullable)
    if (distinct := column.nunique()) > MAX_CATEGORIES:
        raise errors.BadData(
            "features",
            f"text column {name} has {distinct} different values; "
            f"at most {MAX_CATEGORIES} can become columns of their own",
        )
    return Feature(name=name, type="text", nullable=nullable)


def _usual(column: "pd.Series[Any]", feature: Feature) -> float | bool | str:
    """Return the median of a column, or its commonest value."""
    if feature.type == "number":
        return float(column.median())
    return bool(column.mode()[0]) if feature.type == "boolean" else str(column.mode()[0])


def _matrix(
    rows: pd.DataFrame, features: list[Feature]
) -> tuple[npt.NDArray[np.float64] | pd.DataFrame, int]:
    """Return the rows, numbers left and texts right, and how many are numbers.

    With text it is a frame: an array could hold both as Python objects only, four times as large.
    Missing text is "", a category like any other.
    """
    numbers = [f.name for f in features if f.type != "text"]
    texts = [f.name for f in features if f.type == "text"]
    left = rows[numbers].to_numpy(np.float64)
    if not texts:
        return left, len(numbers)
    right = rows[texts].astype(object).fillna("").astype(str).to_numpy(object)
    blocks = [pd.DataFrame(left), pd.DataFrame(right, dtype=object)]
    return pd.concat(blocks, axis=1, ignore_index=True), len(numbers)


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
                "target",
                f"column {name} holds text or booleans; a regressor needs numbers",
            )
        return None, column.to_numpy(np.float64)
    if numeric and not (column % 1 == 0).all():
        raise errors.BadData("target", f"column {name} holds fractions; a classifier needs classes")
    exact = 2 ** (63 if pd.api.types.is_integer_dtype(column) else 53) - 1  # an int64, a float
    if numeric and max(-int(column.min()), int(column.max())) > exact:
        raise errors.BadData(
            "target",
            f"column {name} holds labels that are too large as numbers, "
            f"{column.min()} to {column.max()}; make them text",
        )
    classes = column.astype(np.int64) if numeric else column
    codes, labels = pd.factorize(classes, sort=True)
    if len(labels) < 2:
        raise errors.BadData(
            "target", f"column {name} has {len(labels)} class; a classifier needs two"
        )
    return labels.tolist(), codes
