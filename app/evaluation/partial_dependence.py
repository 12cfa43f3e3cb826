"""Partial dependence, as scikit-learn's method `brute` defines it, in bounded time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats.mstats import mquantiles

from app.evaluation.budget import Budget, Run
from app.evaluation.feature_columns import FeatureColumns
from app.evaluation.sampling import evenly_spaced, row_count, sample_places, take_rows
from app.inference.predictor import Tensors
from app.models.column_profile import Value
from app.models.evaluation_parts import PartialDependence
from app.protocol.cells import date_of
from app.protocol.label_keys import Label
from app.protocol.wording import cut

FEATURES = 4
GRID = 20
MAX_ROWS = 1000
MAX_CLASSES = 20
_ENDS = (0.05, 0.95)  # quantiles, between which the grid of numbers lies
_TEXT = 100  # characters of a value


def partial_dependence(
    run: Run,
    inputs: Tensors,
    columns: Sequence[FeatureColumns],
    labels: Sequence[Label] | None,
    budget: Budget,
) -> list[PartialDependence]:
    """Return the mean answers at a grid of values of each feature of `columns`.

    A classifier has `labels`, in the order of its probabilities. Of two labels the result has the
    second one, of more the first `MAX_CLASSES`. A feature with a single value is left out, and so
    is one for which there is no time.
    """
    runs = len(columns) * GRID
    most = budget.affordable_rows(run, inputs, runs, MAX_ROWS)
    inputs = take_rows(inputs, sample_places(row_count(inputs), most))
    shown = None
    if labels is not None:
        shown = [1] if len(labels) == 2 else list(range(min(len(labels), MAX_CLASSES)))
    found = []
    for each in columns:
        grid = _grid(each, each.values(inputs))
        if len(grid) < 2:
            continue
        means = _means(run, inputs, each, grid, shown, budget)
        if means is None:
            break
        found.append(
            PartialDependence(
                feature=each.feature.name,
                grid=[_shown(each.feature.type, value) for value in grid],
                labels=[labels[place] for place in shown] if labels and shown else None,
                values=means,
                rows=row_count(inputs),
            )
        )
    return found


def _means(
    run: Run,
    inputs: Tensors,
    column: FeatureColumns,
    grid: npt.NDArray[Any],
    shown: list[int] | None,
    budget: Budget,
) -> list[list[float]] | None:
    """Return the mean answers [labels or 1, grid]; None if there is no time."""
    means: list[list[float]] = []
    for answers in budget.answers(run, (column.filled(inputs, value) for value in grid)):
        if answers.probabilities is None or shown is None:
            means.append([float(answers.predicted.mean())])
        else:
            means.append(answers.probabilities.mean(axis=0)[shown].tolist())
    if len(means) < len(grid):
        return None
    return [list(of_label) for of_label in zip(*means, strict=True)]


def _grid(column: FeatureColumns, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the values of a feature that the model is asked about."""
    if not column.feature.is_number:
        texts, counts = np.unique(values.astype(object), return_counts=True)
        most = np.sort(np.argsort(-counts, kind="stable")[:GRID])
        return np.asarray(texts[most], object)
    filled = values[~np.isnan(values)]
    distinct: npt.NDArray[Any] = np.unique(filled)
    if len(distinct) < GRID:
        return distinct
    first, last = mquantiles(filled, prob=_ENDS)
    if np.allclose(first, last):  # most rows have one value, which scikit-learn refuses
        return distinct[evenly_spaced(len(distinct), GRID)]
    return np.linspace(float(first), float(last), GRID)


def _shown(kind: str, value: Any) -> Value:
    """Return a value of a grid as JSON has it."""
    match kind:
        case "boolean":
            return bool(value)
        case "date":
            return date_of(float(value))
        case "number":
            return float(value)
    return cut(str(value), _TEXT)
