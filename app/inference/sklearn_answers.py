"""Answer rows by a fitted scikit-learn pipeline. Only child processes import this module."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from app.inference.predictor import Tensors
from app.inference.runtime import NO_PLACE, PIPELINE_ROWS, Answers, rows_at_a_time
from app.models.manifest import TrainedManifest


def answer(pipeline: Pipeline, manifest: TrainedManifest, inputs: Tensors) -> Answers:
    """Answer rows as `Runtime.run` does, in chunks whose memory is bounded.

    Raises `MemoryError` if a single row needs more than there is.
    """
    size = min(PIPELINE_ROWS, rows_at_a_time(manifest.row_bytes))
    count = len(next(iter(inputs.values())))
    answers = _unanswered(manifest, count)
    for start in range(0, count, size):
        _fill(pipeline, manifest, inputs, answers, start, min(start + size, count))
    return answers


def _fill(
    pipeline: Pipeline,
    manifest: TrainedManifest,
    inputs: Tensors,
    answers: Answers,
    start: int,
    end: int,
) -> None:
    """Answer some rows together; if that fails, each half, so that only faulty rows fail."""
    rows = {name: each[start:end] for name, each in inputs.items()}
    try:
        found = _answer(pipeline, manifest, rows)
    except MemoryError:
        if end - start == 1:
            raise
    except ValueError:  # a number that the estimator cannot take, such as one beyond float32
        if end - start == 1:
            return
    else:
        for values, each in zip(answers, found, strict=True):
            if values is not None:
                values[start:end] = each
        return
    middle = (start + end) // 2
    _fill(pipeline, manifest, inputs, answers, start, middle)
    _fill(pipeline, manifest, inputs, answers, middle, end)


def _unanswered(manifest: TrainedManifest, count: int) -> Answers:
    if manifest.labels is None:
        return Answers(np.full(count, np.nan), None)
    shape = (count, len(manifest.labels))
    none = np.full(shape, np.nan) if manifest.probabilities else None
    return Answers(np.full(count, NO_PLACE), none)


def _answer(pipeline: Pipeline, manifest: TrainedManifest, inputs: Tensors) -> Answers:
    rows = _matrix(inputs)
    for _, step in pipeline.steps[:-1]:
        rows = step.transform(rows)
    estimator = pipeline.steps[-1][1]
    # The sign of the decision is what `predict` answers, -1 or 1.
    anomalies = manifest.task == "anomalies"
    predicted = estimator.decision_function(rows) if anomalies else estimator.predict(rows)
    if manifest.labels is None:
        return Answers(np.asarray(predicted, np.float64).reshape(-1), None)
    places = np.asarray(predicted, np.int64)
    if not manifest.probabilities:
        return Answers(places, None)
    return Answers(places, np.asarray(estimator.predict_proba(rows), np.float64))


def _matrix(inputs: Tensors) -> npt.NDArray[np.float64] | pd.DataFrame:
    """Return the rows as the pipeline was fitted to them: numbers left, texts right.

    With texts they are a data frame, because an array of both would hold numbers as objects.
    """
    if "text" not in inputs:
        return inputs["number"]
    blocks = [pd.DataFrame(inputs[name]) for name in ("number", "text") if name in inputs]
    return pd.concat(blocks, axis=1, ignore_index=True)
