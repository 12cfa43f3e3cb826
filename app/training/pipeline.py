"""Fit a scikit-learn pipeline to a data set, choose its runtime, and write its file.

This runs in the child process of a training, which `fit_process` starts.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import sklearn
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from app import errors
from app.inference.runtime import Answers
from app.inference.sklearn_answers import answer
from app.models.manifest import FORMAT, TrainedManifest
from app.protocol.fit_progress import EXPORTED, FITTED, READ
from app.protocol.training_request import TrainingSpec
from app.training import progress
from app.training.estimators import build_estimator, effective_params
from app.training.evaluation import classification_metrics, regression_metrics
from app.training.fit_messages import explain_fit, field_of
from app.training.library_warnings import library_warnings
from app.training.model_bounds import check_labels
from app.training.model_memory import row_bytes
from app.training.onnx_export import to_onnx
from app.training.param_binding import bind_params
from app.training.parity import target_scale
from app.training.preprocessing import preprocessing_steps
from app.training.runtime_choice import Export, FittedPipeline, choose_runtime, write_file
from app.training.train_test_data import TrainTestData, split_data
from app.training.training_data import TrainingData

log = logging.getLogger(__name__)

_MISFIT = "the columns and the params do not fit together"


def fit_pipeline(
    data: TrainingData,
    request: TrainingSpec,
    model_id: str,
    folder: Path,
    on_progress: progress.Report = lambda _: None,
    *,
    fit: Callable[..., None] = progress.fit_with_progress,
    export: Export = to_onnx,
) -> tuple[TrainedManifest, Path]:
    """Fit on one part of the rows, and measure on the rest what will answer predictions.

    Return the manifest, and the path of the model's file in `folder`, which holds it too.
    `on_progress` gets the share of the whole job that is done, from `READ` to `EXPORTED`, at most
    ten times a second; nothing of an estimator whose progress is not known. Raises
    `errors.BadData`, also for test rows without a finite answer.
    """
    part = progress.between(on_progress, READ, FITTED)
    with library_warnings(request.params or ()) as warned:
        estimator = build_estimator(request.resolved_estimator)
        name, labels = request.resolved_estimator.name, data.target.labels
        check_labels(estimator, name, request.target, len(labels or ()))
        with _explained(request):
            rows = split_data(data, request)
            pipeline = fit_rows(rows, estimator, lambda *given: fit(*given, part))
            draft = draft_manifest(request, model_id, rows, estimator)
            expected = answer(pipeline, draft, rows.test_inputs)
        _check_answered(expected, draft)
        fitted = FittedPipeline(pipeline, rows.test_inputs, expected, target_scale(rows.y_train))
        choice = choose_runtime(fitted, draft, folder, export)
        metrics = compute_metrics(rows, choice.answers)
    if progress.reports_steps(estimator):
        on_progress(EXPORTED)
    manifest = draft.model_copy(
        update={
            "metrics": metrics,
            "runtime": choice.runtime,
            "runtime_reason": choice.reason,
            "parity": choice.parity,
            "memory": choice.memory,
            "warnings": [*rows.warnings, *warned],
        }
    )
    return manifest, write_file(choice, fitted, manifest, folder)


def fit_rows(
    rows: TrainTestData, estimator: BaseEstimator, fit: Callable[[Any, Any, Any], None]
) -> Pipeline:
    """Fit the preprocessing and the estimator to the training rows."""
    x, columns = rows.x_train, preprocessing_steps(rows.features, rows.numbers)
    for _, step in columns:
        x = step.fit_transform(x)
    numeric = [f.name for f in rows.features if f.is_number]
    bind_params(estimator, rows.labels, rows.unlearnt, numeric, x.shape[1])
    fit(estimator, x, rows.y_train)
    estimator.predict(x[:1])  # which raises what no fit finds, such as too many neighbours
    return Pipeline([*columns, ("estimator", estimator)])


def draft_manifest(
    request: TrainingSpec, model_id: str, rows: TrainTestData, estimator: BaseEstimator
) -> TrainedManifest:
    """Return the manifest of a fitted model whose runtime is not chosen yet."""
    resolved = request.resolved_estimator
    return TrainedManifest(
        model_id=model_id,
        dataset_id=request.dataset_id,
        task="regression" if rows.labels is None else "classification",
        estimator=resolved.name,
        params=effective_params(resolved),
        calibrate=resolved.calibrate,
        features=rows.features,
        target=request.target,
        labels=rows.labels,
        probabilities=rows.labels is None or hasattr(estimator, "predict_proba"),
        rows={"train": len(rows.y_train), "test": len(rows.y_test), "dropped": rows.dropped},
        metrics={},
        parity=None,
        sample=rows.sample,
        versions={module.__name__: module.__version__ for module in (sklearn, onnx, np, pd)},
        row_bytes=row_bytes(estimator),
        format=FORMAT,
    )


def compute_metrics(rows: TrainTestData, answers: Answers) -> dict[str, float]:
    """Return the metrics of answers to the test rows, without those that a row does not define."""
    if rows.labels is None:
        metrics = regression_metrics(rows.y_test, answers.predicted)
    else:
        metrics = classification_metrics(rows.y_test, answers)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


@contextmanager
def _explained(request: TrainingSpec) -> Iterator[None]:
    """Turn an error of scikit-learn about the data into `errors.BadData` in plain words."""
    try:
        yield
    except ValueError as error:
        name, why = request.resolved_estimator.name, explain_fit(error)
        if why is None:  # the job shows less than the log
            log.warning("%s cannot learn: %s", name, error)
            why = "the columns do not fit it" if not request.params else _MISFIT
        field = field_of(why, request.params or ())
        raise errors.BadData(field, f"{name} cannot learn from this: {why}") from None


def _check_answered(answers: Answers, draft: TrainedManifest) -> None:
    """Raise `errors.BadData` if scikit-learn has no finite answer to a test row."""
    values = answers.predicted if answers.probabilities is None else answers.probabilities
    lost = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if draft.labels is not None:
        lost |= answers.predicted < 0  # a row without an answer has no place
    if count := int(lost.sum()):
        raise errors.BadData(
            None,
            f"{draft.estimator} has no finite answer to {count} of {len(lost)} test rows: scale "
            "the columns, remove infinity and numbers that are too large, or change the params",
        )
