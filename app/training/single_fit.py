"""Fit a pipeline to the training rows of a split, and have it answer the test rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from app import errors
from app.evaluation.metrics import compute_metrics
from app.evaluation.phases import Phases
from app.inference.date_parts import number_columns
from app.inference.runtime import Answers
from app.inference.sklearn_answers import answer
from app.models.manifest import FORMAT, TrainedManifest
from app.protocol.preprocessing import ResolvedPreprocessing
from app.protocol.training_request import TrainingSpec
from app.training.estimators import build_estimator, effective_params
from app.training.fit_steps import bind_categories, fit_steps
from app.training.library_versions import library_versions
from app.training.model_memory import row_bytes
from app.training.param_binding import bind_params
from app.training.parity import target_scale
from app.training.runtime_choice import FittedPipeline
from app.training.split import RowSplit
from app.training.target_transform import fit_target
from app.training.train_test_data import Samples, TrainTestData, take_rows


@dataclass(frozen=True)
class Measured:
    """The answers of scikit-learn to the test rows of a split, and their metrics.

    `answers` are None if only the `metrics` are kept.
    """

    split: RowSplit
    metrics: dict[str, float]
    answers: Answers | None


@dataclass(frozen=True)
class SingleFit:
    """A fitted pipeline, the draft of its manifest, and the rows of its split."""

    split: RowSplit
    rows: TrainTestData
    draft: TrainedManifest
    model: FittedPipeline

    def measure(self, *, keep: bool = True) -> Measured:
        """Return the metrics of scikit-learn's answers, with the answers if `keep` says so."""
        answers = self.model.expected
        return Measured(self.split, self.metrics_of(answers), answers if keep else None)

    def metrics_of(self, answers: Answers) -> dict[str, float]:
        """Return the metrics of answers to the test rows; there are none without test rows."""
        if not len(self.rows.y_test):
            return {}
        classifies = self.rows.labels is not None
        return compute_metrics(self.rows.y_test, answers, classifies=classifies)


def fit_once(
    request: TrainingSpec,
    model_id: str,
    samples: Samples,
    split: RowSplit,
    fit: Callable[..., None],
    phases: Phases,
) -> SingleFit:
    """Fit to the training rows of a split by `fit`, and answer its test rows.

    Without test rows, some training rows are answered. `fit` takes the estimator, the matrix and
    the target, and `sample_weight` if there are weights. The `phases` get the time of both. Raises
    `ValueError` for rows that the estimator does not take, and `errors.BadData` for rows without a
    finite answer.
    """
    rows, estimator = take_rows(samples, split), build_estimator(request.resolved_estimator)
    with phases.measure("fit"):
        pipeline = fit_rows(rows, estimator, request.resolved_preprocessing, fit)
    draft = draft_manifest(request, model_id, rows, estimator)
    inputs = rows.probe_inputs
    with phases.measure("predict"):
        expected = answer(pipeline, draft, inputs)
    _check_answered(expected, draft)
    model = FittedPipeline(pipeline, inputs, expected, target_scale(rows.y_train))
    return SingleFit(split, rows, draft, model)


def fit_rows(
    rows: TrainTestData,
    estimator: BaseEstimator,
    options: ResolvedPreprocessing,
    fit: Callable[..., None],
) -> Pipeline:
    """Fit the preprocessing and the estimator to the training rows; return both as a pipeline.

    Raises `ValueError` for rows that the estimator does not take, and `errors.BadData` for options
    that do not suit the rows, and for weights that are all 0.
    """
    x, steps = fit_steps(rows.x_train, rows.features, options, estimator)
    columns = number_columns(rows.features, options.dates)
    bind_params(estimator, rows.labels, rows.unlearnt, columns, x.shape[1])
    bind_categories(estimator, rows.features, options)
    weights = {} if rows.weights is None else {"sample_weight": rows.weights}
    if rows.weights is not None and not rows.weights.any():
        raise errors.BadData("sample_weight", "the weights of the rows to learn from are all 0")
    weighted = partial(fit, **weights)
    whole = fit_target(estimator, x, rows.y_train, options.target_transform, weighted)
    whole.predict(x[:1])  # raises errors that no fit raises, such as too many neighbours
    return Pipeline([*steps, ("estimator", whole)])


def draft_manifest(
    request: TrainingSpec, model_id: str, rows: TrainTestData, estimator: BaseEstimator
) -> TrainedManifest:
    """Return the manifest of a fitted model whose runtime is not chosen yet."""
    resolved = request.resolved_estimator
    return TrainedManifest(
        model_id=model_id,
        dataset_id=request.dataset_id,
        dataset_version=request.dataset_version,
        task=resolved.spec.task,
        estimator=resolved.name,
        params=effective_params(resolved),
        calibrate=resolved.calibrate,
        preprocessing=request.resolved_preprocessing,
        features=rows.features,
        target=request.target,
        labels=rows.labels,
        probabilities=rows.labels is None or hasattr(estimator, "predict_proba"),
        rows={"train": len(rows.y_train), "test": len(rows.y_test), "dropped": rows.dropped},
        metrics={},
        parity=None,
        sample=rows.sample,
        versions=library_versions(estimator),
        row_bytes=row_bytes(estimator),
        format=FORMAT,
    )


def _check_answered(answers: Answers, draft: TrainedManifest) -> None:
    """Raise `errors.BadData` if scikit-learn has no finite answer to one of the rows."""
    values = answers.predicted if answers.probabilities is None else answers.probabilities
    lost = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if draft.labels is not None:
        lost |= answers.predicted < 0  # the place of a row without an answer is negative
    if count := int(lost.sum()):
        rows = "test rows" if draft.rows["test"] else "rows"
        raise errors.BadData(
            None,
            f"{draft.estimator} has no finite answer to {count} of {len(lost)} {rows}: scale "
            "the columns, remove infinity and numbers that are too large, or change the params",
        )
