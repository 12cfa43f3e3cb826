"""Evaluate a fitted model: compute all parts of its evaluation, and write them to a file."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from app.evaluation import notes
from app.evaluation.budget import Budget, Clock
from app.evaluation.classification import areas, evaluate_classification
from app.evaluation.coefficients import read_coefficients
from app.evaluation.evaluated import EvaluatedModel
from app.evaluation.feature_columns import FeatureColumns, feature_columns
from app.evaluation.importance import measure_importance
from app.evaluation.metrics import compute_scores
from app.evaluation.partial_dependence import FEATURES, partial_dependence
from app.evaluation.parts import Parts
from app.evaluation.regression import evaluate_regression
from app.evaluation.sampling import sample_places
from app.models.column_profile import ColumnProfile
from app.models.evaluation import EVALUATION_FILE, Baseline, DataSummary, Evaluation, Scores
from app.models.evaluation_parts import Classification, Importance, PartialDependence, Regression
from app.tables.profile import profile_columns

TRAIN_ROWS, LEAST_TRAIN_ROWS = 10_000, 1000  # for the train scores; fewer of a slow model


def evaluate(model: EvaluatedModel, *, clock: Clock = monotonic) -> Evaluation:
    """Return the evaluation of a model. A part that cannot be computed becomes a note."""
    with model.phases.measure("evaluation"):
        found = _evaluate(model, Parts(model.phases), clock)
    return found.model_copy(update={"phases": dict(model.phases.seconds)})


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write an evaluation to its file in `folder`; return the path."""
    path = folder / EVALUATION_FILE
    path.write_text(evaluation.model_dump_json(), encoding="utf-8")
    return path


def _evaluate(model: EvaluatedModel, parts: Parts, clock: Clock) -> Evaluation:
    manifest, columns = model.manifest, feature_columns(model.manifest)
    scores: Scores = {}
    baseline: Baseline | None = None
    regression: Regression | None = None
    classification: Classification | None = None
    if model.tested_on != "none":
        scores = parts.compute("test_scores", lambda: _test_scores(model)) or {}
        baseline = parts.compute("baseline", lambda: _baseline(model))
        if model.classifies:
            classification = parts.compute("classification", lambda: _classification(model))
        else:
            regression = parts.compute("regression", lambda: _regression(model))
    if classification is not None:
        parts.add(notes.of_classification(classification))
        if classification.per_class and manifest.probabilities:
            scores |= areas(classification, manifest.labels or ())
    train_scores, train_rows = parts.compute(
        "train_scores", lambda: _train_scores(model, clock)
    ) or ({}, 0)
    parts.add(notes.of_train_scores(train_rows, min(model.train_rows, TRAIN_ROWS)))
    importance = parts.compute("importance", lambda: _importance(model, columns, clock))
    parts.add(notes.of_importance(importance, columns, model))
    dependence = parts.compute(
        "partial_dependence", lambda: _dependence(model, _strongest(importance, columns), clock)
    )
    parts.add(notes.of_dependence(dependence, model))
    parts.add(notes.of_profile(model))
    return Evaluation(
        model_id=manifest.model_id,
        dataset_id=manifest.dataset_id,
        dataset_version=manifest.dataset_version,
        estimator=manifest.estimator,
        task=manifest.task,
        tested_on=model.tested_on,
        rows=manifest.rows,
        test_scores=scores,
        train_scores=train_scores,
        baseline=baseline,
        cross_validation=manifest.cross_validation,
        regression=regression,
        classification=classification,
        importance=importance,
        coefficients=parts.compute(
            "coefficients",
            lambda: read_coefficients(
                model.pipeline, manifest.features, manifest.labels, manifest.date_parts
            ),
        ),
        partial_dependence=dependence or [],
        data=parts.compute("profile", lambda: _data(model)),
        versions=manifest.versions,
        phases=model.phases.seconds,
        notes=parts.notes,
    )


def _test_scores(model: EvaluatedModel) -> Scores:
    return compute_scores(*model.joined_answers(), classifies=model.classifies)


def _train_scores(model: EvaluatedModel, clock: Clock) -> tuple[Scores, int]:
    """Return the scores of training rows, and the number of these rows."""
    if model.y_train is None:
        return {}, 0
    inputs = model.train_inputs(sample_places(model.train_rows, TRAIN_ROWS))
    rows = _budget(model, clock).affordable_rows(model.run, inputs, 1, TRAIN_ROWS, LEAST_TRAIN_ROWS)
    places = sample_places(model.train_rows, rows)
    answers = model.run(model.train_inputs(places))
    return compute_scores(model.y_train[places], answers, classifies=model.classifies), rows


def _budget(model: EvaluatedModel, clock: Clock) -> Budget:
    return Budget(model.phases.seconds.get("fit", 0.0), clock)


def _baseline(model: EvaluatedModel) -> Baseline:
    y, answers = model.joined_answers(baseline=True)
    scores = compute_scores(y, answers, classifies=model.classifies)
    return Baseline(strategy="prior" if model.classifies else "mean", scores=scores)


def _regression(model: EvaluatedModel) -> Regression:
    y, answers = model.joined_answers()
    return evaluate_regression(y, answers.predicted)


def _classification(model: EvaluatedModel) -> Classification:
    return evaluate_classification(*model.joined_answers(), model.all_labels)


def _importance(
    model: EvaluatedModel, columns: Sequence[FeatureColumns], clock: Clock
) -> Importance | None:
    """Measure on test rows that the published model did not learn; else on training rows."""
    if model.y_train is None:
        return None
    budget = _budget(model, clock)
    if model.test_inputs is not None and model.y_test is not None:
        inputs, y, measured_on = model.test_inputs, model.y_test, "test"
    else:
        places = sample_places(model.train_rows, TRAIN_ROWS)
        inputs, y, measured_on = model.train_inputs(places), model.y_train[places], "train"
    return measure_importance(
        model.run, inputs, y, columns, budget, classifies=model.classifies, measured_on=measured_on
    )


def _strongest(
    importance: Importance | None, columns: Sequence[FeatureColumns]
) -> list[FeatureColumns]:
    """Return the features of the greatest importance, or the first ones if none is known."""
    if importance is None:
        return list(columns[:FEATURES])
    by_name = {each.feature.name: each for each in columns}
    return [by_name[each.feature] for each in importance.features[:FEATURES]]


def _dependence(
    model: EvaluatedModel, columns: Sequence[FeatureColumns], clock: Clock
) -> list[PartialDependence]:
    if model.classifies and not model.manifest.probabilities:
        return []
    budget = _budget(model, clock)
    inputs = model.test_inputs
    if inputs is None:
        inputs = model.train_inputs(sample_places(model.train_rows, TRAIN_ROWS))
    return partial_dependence(model.run, inputs, columns, model.manifest.labels, budget)


def _data(model: EvaluatedModel) -> DataSummary:
    profiles: list[ColumnProfile] = profile_columns(model.columns[: notes.MAX_COLUMNS])
    rows = len(model.columns[0].values) if model.columns else 0
    return DataSummary(sha256=model.sha256, rows=rows, columns=profiles)
