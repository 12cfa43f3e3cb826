"""Fit a scikit-learn pipeline to a data frame, evaluate it, and export it to ONNX.

This runs in the child process of a training, which `fit_process` starts.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import skl2onnx
import sklearn
from onnx import ModelProto
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from app import errors
from app.inference.runtime import Answers
from app.models.manifest import METADATA_KEY, TrainedManifest
from app.protocol.requests import TrainingSpec
from app.training import progress
from app.training.estimators import build_estimator, effective_params
from app.training.evaluation import classification_metrics, regression_metrics
from app.training.features import (
    describe_feature,
    feature_matrix,
    typical_value,
)
from app.training.fit_messages import explain_fit
from app.training.named_params import bind_named_params
from app.training.onnx_export import to_onnx
from app.training.preprocessing import preprocessing_steps
from app.training.target import encode_classes, numeric_target

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedModel:
    """A fitted model: its ONNX file, its manifest, and scikit-learn's predictions.

    `inputs` are the test rows as the ONNX graph takes them. `expected` are scikit-learn's
    predictions for them [rows], or the probabilities [rows, classes] of a classifier.
    """

    file: bytes
    manifest: TrainedManifest
    inputs: dict[str, npt.NDArray[Any]]
    expected: npt.NDArray[np.float64]

    def compared(self, answers: Answers) -> npt.NDArray[Any]:
        """Return what of the answers is compared with `expected`."""
        return answers.predicted if answers.probabilities is None else answers.probabilities

    def encode(self, parity: float) -> tuple[bytes, TrainedManifest]:
        """Return the ONNX file with the manifest inside, and that manifest, both with `parity`."""
        manifest = self.manifest.model_copy(update={"parity": parity})
        properties = ModelProto()
        properties.metadata_props.add(key=METADATA_KEY, value=manifest.model_dump_json())
        # Two concatenated protobuf messages are parsed as one merged message.
        return self.file + properties.SerializeToString(), manifest


def fit_pipeline(
    frame: pd.DataFrame,
    request: TrainingSpec,
    model_id: str,
    on_progress: progress.Report = lambda _: None,
    *,
    fit: Callable[..., None] = progress.fit_with_progress,
    export: Callable[..., bytes] = to_onnx,
) -> FittedModel:
    """Fit on one part of the rows, evaluate on the rest, export to ONNX. Raises `errors.BadData`.

    `on_progress` gets the share of the whole job that is done, from `progress.READ` to
    `progress.EXPORTED`, at most ten times a second.

    Rows without a target are left out. The metrics of regressors are rmse, mae and r2, those of
    classifiers accuracy, f1 (macro average) and log_loss.
    """
    chosen = request.chosen
    estimator = build_estimator(chosen)
    rows = frame.dropna(subset=[request.target])
    if rows.empty:
        raise errors.BadData("target", f"column {request.target} is empty")
    features = [describe_feature(frame[name]) for name in request.features]
    task = chosen.spec.task
    labels: list[Any] | None = None
    if task == "regression":
        y = numeric_target(rows[request.target])
    else:
        labels, y = encode_classes(rows[request.target])
    x, numbers = feature_matrix(rows, features)
    split = {"test_size": request.test_size, "random_state": 42}
    try:
        # Warnings are about convergence, which the metrics show, and about coming versions.
        with warnings.catch_warnings(action="ignore"):
            x_train, x_test, y_train, y_test = train_test_split(x, y, **split)
            if labels is not None and len(np.unique(y_train)) < 2:
                raise ValueError("only one class is left in the training rows")
            columns = preprocessing_steps(features, numbers)
            for _, step in columns:
                x_train = step.fit_transform(x_train)
            numeric = [f.name for f in features if f.type != "text"]
            bind_named_params(estimator, labels, [], numeric, x_train.shape[1])
            part = progress.between(on_progress, progress.READ, progress.FITTED)
            fit(estimator, x_train, y_train, part)
            pipeline = Pipeline([*columns, ("estimator", estimator)])
            if labels is None:
                expected = pipeline.predict(x_test)
                measured = regression_metrics(y_test, expected)
            else:
                expected = pipeline.predict_proba(x_test)
                labels = [labels[code] for code in estimator.classes_]
                measured = classification_metrics(y_test, expected, estimator.classes_)
            file = export(pipeline, chosen.name, numbers, x.shape[1] - numbers)
            on_progress(progress.EXPORTED)
    except ValueError as error:
        why = explain_fit(error)
        if why is None:  # the job shows less than the log
            log.warning("%s cannot learn: %s", chosen.name, error)
            why = "the columns and the params do not fit together"
        raise errors.BadData(None, f"{chosen.name} cannot learn from this: {why}") from None
    manifest = TrainedManifest(
        model_id=model_id,
        dataset_id=request.dataset_id,
        task=task,
        estimator=chosen.name,
        params=effective_params(chosen),
        features=features,
        target=request.target,
        labels=labels,
        rows={"train": len(y_train), "test": len(y_test), "dropped": len(frame) - len(rows)},
        metrics={name: value for name, value in measured.items() if np.isfinite(value)},
        parity=None,
        sample={f.name: typical_value(rows[f.name], f) for f in features},
        versions={module.__name__: module.__version__ for module in (sklearn, skl2onnx, np, pd)},
    )
    rest = pd.DataFrame(x_test)
    inputs = {
        "number": np.ascontiguousarray(rest.iloc[:, :numbers], np.float64),
        "text": rest.iloc[:, numbers:].to_numpy(object),
    }
    return FittedModel(file, manifest, {k: v for k, v in inputs.items() if v.shape[1]}, expected)
