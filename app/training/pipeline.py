"""Fit the models of a training, choose the runtime of the one to publish, and write its file.

This runs in the child process of a training, which `fit_process` starts.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from app import errors
from app.evaluation.budget import Clock
from app.evaluation.evaluate import evaluate, write_evaluation
from app.evaluation.phases import Phases
from app.models.manifest import TrainedManifest
from app.protocol.fit_progress import EXPORTED, FITTED, READ
from app.protocol.training_request import TrainRequest
from app.tables.column_warnings import limit_warnings
from app.training import progress
from app.training.cross_validation import fold_scores
from app.training.estimators import build_estimator
from app.training.fit_evaluation import evaluated_model
from app.training.fit_messages import explain_fit, field_of, without_test_rows
from app.training.fit_plan import plan_fits
from app.training.key_warnings import unknown_key_warnings
from app.training.library_warnings import library_warnings
from app.training.model_bounds import check_labels
from app.training.onnx_export import to_onnx
from app.training.runtime_choice import Export, choose_runtime, write_file
from app.training.single_fit import SingleFit, fit_once
from app.training.split import RowSplit
from app.training.train_test_data import make_samples
from app.training.training_data import TrainingData

log = logging.getLogger(__name__)

_MISFIT = "the columns and the params do not fit together"


def fit_pipeline(
    data: TrainingData,
    request: TrainRequest,
    model_id: str,
    folder: Path,
    on_progress: progress.Report = lambda _: None,
    *,
    fit: Callable[..., None] = progress.fit_with_progress,
    export: Export = to_onnx,
    clock: Clock = monotonic,
    phases: Phases | None = None,
) -> tuple[TrainedManifest, Path]:
    """Fit on a part of the rows, and measure on the rest; fit again on all if that is asked for.

    What is measured are the answers of the runtime that will answer predictions. Those of folds,
    and of a model that is fitted again, are scikit-learn's. Return the manifest, and the path of
    the model's file in `folder`, which holds it too. The evaluation is written beside it.
    `on_progress` gets the share of the whole job that is done, from `READ` to `EXPORTED`, at most
    ten times a second and at the end of each of several fits; nothing of a single fit whose
    progress is not known. The `clock` bounds the parts of the evaluation; `phases` get
    the time of each phase. Raises
    `errors.BadData`, also for rows without a finite answer.
    """
    phases = phases or Phases()
    phases.seconds["read"] = data.seconds
    with library_warnings(request.params or ()) as warned:
        estimator = build_estimator(request.resolved_estimator)
        name, labels = request.resolved_estimator.name, data.target.labels
        check_labels(estimator, name, data.target.name, len(labels or ()))
        known = progress.reports_steps(estimator)
        with _explained(request):
            with phases.measure("split"):
                samples, plan = make_samples(data, request), plan_fits(data, request)
            shares = iter(progress.in_turn(progress.between(on_progress, READ, FITTED), plan.count))

            def fitted(split: RowSplit) -> SingleFit:
                report = next(shares)
                one = partial(fit, report=report)
                found = fit_once(request, model_id, samples, split, one, phases)
                if plan.count > 1 and not known:
                    report(1.0)
                return found

            kept = request.cv.folds if request.cv else 0  # folds, those of the first repeat
            folds = [fitted(fold).measure(keep=n < kept) for n, fold in enumerate(plan.folds)]
            tested = fitted(plan.measured).measure() if plan.measured else None
            last = fitted(plan.published)
        with phases.measure("export"):
            choice = choose_runtime(last.model, last.draft, folder, export)
        scores = fold_scores([fold.metrics for fold in folds])
        measured = tested.metrics if tested else last.metrics_of(choice.answers)
    rows = last.draft.rows
    if plan.measured:
        rows = {**rows, "test": len(plan.measured.test)}
    manifest = last.draft.model_copy(
        update={
            "rows": rows,
            "metrics": {name: each.mean for name, each in scores.items()} if scores else measured,
            "cross_validation": scores or None,
            "test_metrics": measured if scores and measured else None,
            "runtime": choice.runtime,
            "runtime_reason": choice.reason,
            "parity": choice.parity,
            "memory": choice.memory,
            "warnings": [
                *unknown_key_warnings(request),
                *limit_warnings([*plan.warnings, *data.warnings]),
                *warned,
            ],
        }
    )
    model = evaluated_model(data, manifest, folds, tested, last, choice, phases)
    write_evaluation(evaluate(model, clock=clock), folder)
    if known:
        on_progress(EXPORTED)
    return manifest, write_file(choice, last.model, manifest, folder)


@contextmanager
def _explained(request: TrainRequest) -> Iterator[None]:
    """Turn an error of a library about the data into `errors.BadData` in plain words."""
    try:
        yield
    except Exception as error:
        # LightGBM has an error of its own, and may not be installed.
        if not isinstance(error, ValueError) and type(error).__name__ != "LightGBMError":
            raise
        if "bad_alloc" in str(error):  # of a library in C++
            raise MemoryError from error
        name, why = request.resolved_estimator.name, explain_fit(error)
        if why is None:  # the job shows less than the log
            log.warning("%s cannot learn: %s", name, error)
            why = "the columns do not fit it" if not request.params else _MISFIT
        if not request.resolved_split.test_size:
            why = without_test_rows(why)
        field = field_of(why, request.params or ())
        raise errors.BadData(field, f"{name} cannot learn from this: {why}") from None
