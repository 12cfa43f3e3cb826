"""Plan which fits a training consists of: one for each fold, one to measure, one to publish."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.models.manifest import FitWarning
from app.protocol.label_keys import label_key
from app.protocol.training_request import TrainingSpec
from app.protocol.wording import listed
from app.training.cross_validation import fold_rows
from app.training.split import RowSplit, part_rows, split_rows
from app.training.training_data import TrainingData


@dataclass(frozen=True)
class FitPlan:
    """The splits of a training, one for each fit, in the order of the fits.

    The fits of `folds` and `measured` only give metrics; `measured` is None unless the model is
    refitted after a split. The fit of `published` becomes the model. `warnings` are about the
    splits.
    """

    folds: list[RowSplit]
    measured: RowSplit | None
    published: RowSplit
    warnings: list[FitWarning]

    @property
    def count(self) -> int:
        """Return the number of fits."""
        return len(self.folds) + (self.measured is not None) + 1


def plan_fits(data: TrainingData, request: TrainingSpec) -> FitPlan:
    """Split the rows, and split the training rows into folds if the request asks for them.

    Raises `ValueError` or `errors.BadData` for rows that cannot be split so.
    """
    target, asked = data.target, request.resolved_split
    split = split_rows(target, asked, data.of_rows, refits=request.refits)
    folds: list[RowSplit] = []
    found = [*split.warnings]
    if request.cv:
        folds, odd = fold_rows(target, asked, request.cv, data.of_rows, split.train)
        found += odd
    measured, published = None, split
    if request.refits and len(split.test):
        measured = split
        published = part_rows(target, np.arange(len(target.y)), np.empty(0, np.intp))
    found += _without_weight(published, data.of_rows.weights, target.name)
    return FitPlan(folds, measured, published, found)


def _without_weight(split: RowSplit, weights: Any, name: str) -> list[FitWarning]:
    """Return the warning about classes whose training rows all have the weight 0."""
    if weights is None or split.labels is None:
        return []
    totals = np.bincount(split.y_train, weights[split.train], minlength=len(split.labels))
    lacking = [label_key(split.labels[code]) for code in np.flatnonzero(totals == 0)]
    if not lacking:
        return []
    said = (
        f"each training row of these classes of column {name} has the weight 0: {listed(lacking)}"
    )
    return [FitWarning(type="class_not_learnt", detail=said, field="sample_weight")]
