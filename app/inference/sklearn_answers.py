"""Answer rows by a fitted scikit-learn pipeline. Only child processes import this module."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from app.inference.predictor import Tensors
from app.inference.runtime import NO_PLACE, Answers
from app.models.manifest import TrainedManifest

CHUNK_BYTES = 64_000_000  # what the rows that are answered at a time may take
CHUNK_ROWS = 1000  # at most, because a manifest may not know what a row takes


def answer(pipeline: Pipeline, manifest: TrainedManifest, inputs: Tensors) -> Answers:
    """Answer rows as `Runtime.run` does, in chunks whose memory is bounded.

    Raises `MemoryError` if a single row needs more than there is.
    """
    size = min(CHUNK_ROWS, max(1, CHUNK_BYTES // max(1, manifest.row_bytes)))
    count = len(next(iter(inputs.values())))
    parts = [
        part
        for start in range(0, count, size)
        for part in _halved(pipeline, manifest, _rows(inputs, start, start + size))
    ]
    predicted = np.concatenate([part.predicted for part in parts])
    known = [part.probabilities for part in parts if part.probabilities is not None]
    return Answers(predicted, np.concatenate(known) if known else None)


def _rows(inputs: Tensors, start: int, end: int) -> Tensors:
    return {name: rows[start:end] for name, rows in inputs.items()}


def _halved(pipeline: Pipeline, manifest: TrainedManifest, inputs: Tensors) -> Iterator[Answers]:
    """Answer rows together; if that fails, each half, so that only faulty rows fail."""
    count = len(next(iter(inputs.values())))
    try:
        yield _answer(pipeline, manifest, inputs)
        return
    except MemoryError:
        if count == 1:
            raise
    except ValueError:  # a number that the estimator cannot take, such as one beyond float32
        if count == 1:
            yield _no_answer(manifest)
            return
    for start, end in ((0, count // 2), (count // 2, count)):
        yield from _halved(pipeline, manifest, _rows(inputs, start, end))


def _answer(pipeline: Pipeline, manifest: TrainedManifest, inputs: Tensors) -> Answers:
    rows = _matrix(inputs)
    for _, step in pipeline.steps[:-1]:
        rows = step.transform(rows)
    estimator = pipeline.steps[-1][1]
    predicted = estimator.predict(rows)
    if manifest.labels is None:
        return Answers(np.asarray(predicted, np.float64).reshape(-1), None)
    places = np.asarray(predicted, np.int64)
    if not manifest.probabilities:
        return Answers(places, None)
    return Answers(places, np.asarray(estimator.predict_proba(rows), np.float64))


def _no_answer(manifest: TrainedManifest) -> Answers:
    """Return the answer to a row that has none."""
    if manifest.labels is None:
        return Answers(np.array([np.nan]), None)
    none = np.full((1, len(manifest.labels)), np.nan) if manifest.probabilities else None
    return Answers(np.array([NO_PLACE]), none)


def _matrix(inputs: Tensors) -> npt.NDArray[np.float64] | pd.DataFrame:
    """Return the rows as the pipeline was fitted to them: numbers left, texts right.

    With texts they are a data frame, because an array of both would hold numbers as objects.
    """
    if "text" not in inputs:
        return inputs["number"]
    blocks = [pd.DataFrame(inputs[name]) for name in ("number", "text") if name in inputs]
    return pd.concat(blocks, axis=1, ignore_index=True)
