"""Permutation importance, as scikit-learn's `permutation_importance` defines it, in bounded time.

The runtime that answers predictions answers here, too. Each round shuffles all features, one after
another, so that the time decides how many rounds there are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, r2_score

from app.evaluation.budget import Budget, Run
from app.evaluation.feature_columns import FeatureColumns
from app.evaluation.sampling import row_count, sample_places, take_rows
from app.inference.predictor import Tensors
from app.models.evaluation_parts import FeatureImportance, Importance
from app.protocol.estimators import SEED

REPEATS = 5
MAX_ROWS = 10_000
MAX_FEATURES = 1000  # in the list


def measure_importance(
    run: Run,
    inputs: Tensors,
    y: npt.NDArray[Any],
    columns: Sequence[FeatureColumns],
    budget: Budget,
    *,
    classifies: bool,
    measured_on: str,
) -> Importance | None:
    """Return by how much shuffling each feature lowers the score of rows with the targets `y`.

    Features for which there is no time are left out. Returns None if there is time for no feature,
    or if there are fewer than two rows, which define no score.
    """
    if len(y) < 2:
        return None
    most = budget.affordable_rows(run, inputs, 1 + len(columns) * REPEATS, MAX_ROWS)
    places = sample_places(row_count(inputs), most)
    inputs, y = take_rows(inputs, places), y[places]
    if budget.left <= 0:
        return None
    score = accuracy_score if classifies else r2_score
    base = float(score(y, run(inputs).predicted))
    answered = budget.answers(run, _shuffled(inputs, columns))
    scores = np.array([score(y, each.predicted) for each in answered])
    repeats = len(scores) // len(columns)  # whole rounds
    if not len(scores):
        return None
    if repeats:
        scores = scores[: repeats * len(columns)]
    drops = base - scores.reshape(max(1, repeats), -1).T  # [features, repeats]
    found = [
        FeatureImportance(feature=each.feature.name, mean=float(drop.mean()), std=float(drop.std()))
        for each, drop in zip(columns, drops, strict=False)
    ]
    found.sort(key=lambda each: -each.mean)
    return Importance(
        score="accuracy" if classifies else "r2",
        base=base,
        measured_on=measured_on,
        rows=len(y),
        repeats=drops.shape[1],
        features=found[:MAX_FEATURES],
    )


def _shuffled(inputs: Tensors, columns: Sequence[FeatureColumns]) -> Iterator[Tensors]:
    """Yield the rows with one feature shuffled: in each round all features, one after another."""
    # scikit-learn gives each feature the same generator, so a round has one order for all.
    seed = np.random.RandomState(SEED).randint(np.iinfo(np.int32).max + 1)
    random, order = np.random.RandomState(seed), np.arange(row_count(inputs))
    places = order.copy()
    for _ in range(REPEATS):
        random.shuffle(order)
        places = places[order]  # each round shuffles what the round before has shuffled
        yield from (each.shuffled(inputs, places) for each in columns)
