"""Make the folds of a cross-validation, and summarize their metrics."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from app import errors
from app.models.manifest import FitWarning, FoldScores
from app.protocol.label_keys import label_key
from app.protocol.training_options import CrossValidation, Split
from app.protocol.wording import listed
from app.training.row_columns import RowColumns
from app.training.split import Places, RowSplit, in_time, part_rows, tie_warnings
from app.training.target import Target

Part = tuple[Places, Places]  # the training rows, and the test rows


def fold_rows(
    target: Target, asked: Split, cv: CrossValidation, columns: RowColumns, rows: Places
) -> tuple[list[RowSplit], list[FitWarning]]:
    """Return the folds of `rows` [places] by scikit-learn's classes, and warnings about them.

    With `asked.time`, the rows are sorted by it. Raises `errors.BadData` if there are too few rows
    or groups, or too few rows of a class, for the folds.
    """
    if columns.times is not None:
        rows = rows[in_time(columns.times[rows])]
    _check_room(asked, cv, columns.take(rows), len(rows))
    found: list[FitWarning] = []
    stratified = target.labels is not None and asked.stratify is not False and not asked.time
    if (stratified and not asked.group) or asked.stratify is True:
        found = _rare_classes(target, cv, rows)
    if found and asked.stratify is True:
        raise errors.BadData("split.stratify", found[0].detail)
    parts = [
        (rows[train], rows[test])
        for train, test in _parts(
            asked, cv, columns.take(rows), target.y[rows], stratified and not found
        )
    ]
    if columns.times is not None:
        found += tie_warnings(columns.times, str(asked.time), parts)
    folds = [_fold(target, place, part) for place, part in enumerate(parts, start=1)]
    return folds, [*found, *_classes_not_learnt(target, folds)]


def fold_scores(measured: Sequence[Mapping[str, float]]) -> dict[str, FoldScores]:
    """Return each metric's mean, standard deviation and values over folds.

    As numpy's `mean` and `std` do, the deviation divides by the number of folds. A fold that does
    not define the metric counts in neither, and has null among the values.
    """
    scores = {}
    for name in dict.fromkeys(name for each in measured for name in each):
        values = [each.get(name) for each in measured]
        known = [value for value in values if value is not None]
        scores[name] = FoldScores(
            mean=float(np.mean(known)), std=float(np.std(known)), folds=values
        )
    return scores


def _parts(
    asked: Split, cv: CrossValidation, columns: RowColumns, y: Any, stratified: bool
) -> Iterator[Part]:
    """Yield the training and the test places of each fold."""
    folds, seed = cv.folds, asked.random_state
    if columns.times is not None:
        yield from TimeSeriesSplit(folds).split(y)
    elif columns.groups is not None:
        yield from _parts_by_group(asked, cv, columns.groups, y)
    elif cv.repeats > 1:
        repeated = RepeatedStratifiedKFold if stratified else RepeatedKFold
        yield from repeated(n_splits=folds, n_repeats=cv.repeats, random_state=seed).split(y, y)
    else:
        once = StratifiedKFold if stratified else KFold
        yield from once(folds, shuffle=True, random_state=seed).split(y, y)


def _parts_by_group(asked: Split, cv: CrossValidation, groups: Places, y: Any) -> Iterator[Part]:
    """Yield folds by group; the seed of each repeat is one above that of the repeat before."""
    for repeat in range(cv.repeats):
        seed = None if asked.random_state is None else (asked.random_state + repeat) % 2**32
        if asked.stratify is True:
            parts = StratifiedGroupKFold(cv.folds, shuffle=True, random_state=seed)
        elif cv.repeats == 1:  # without a shuffle, the folds have similar sizes
            parts = GroupKFold(cv.folds)
        else:
            parts = GroupKFold(cv.folds, shuffle=True, random_state=seed)
        yield from parts.split(y, y, groups)


def _check_room(asked: Split, cv: CrossValidation, columns: RowColumns, rows: int) -> None:
    needed = cv.folds + 1 if columns.times is not None else cv.folds
    if rows < needed:
        raise errors.BadData(
            "cv.folds", f"{cv.folds} folds need {needed} rows, and there are {rows}"
        )
    if columns.groups is not None and (groups := len(np.unique(columns.groups))) < cv.folds:
        raise errors.BadData(
            "cv.folds",
            f"{cv.folds} folds need as many groups, and column {asked.group} has {groups}",
        )


def _rare_classes(target: Target, cv: CrossValidation, rows: Places) -> list[FitWarning]:
    """Return the warning about classes with fewer rows than there are folds."""
    assert target.labels is not None
    counts = np.bincount(target.y[rows], minlength=len(target.labels))
    rare = [
        f"{label_key(target.labels[code])} ({counts[code]})"
        for code in np.flatnonzero(counts < cv.folds)
    ]
    if not rare:
        return []
    said = (
        f"the folds are not stratified, because classes of column {target.name} have fewer rows "
        f"than there are folds: {listed(rare)}"
    )
    return [FitWarning(type="not_stratified", detail=said, field=target.name)]


def _fold(target: Target, place: int, part: Part) -> RowSplit:
    try:
        return part_rows(target, *part)
    except ValueError:
        raise errors.BadData(
            "cv",
            f"fold {place} has a single class of column {target.name} to learn from; ask for fewer "
            "folds, or stratify them",
        ) from None


def _classes_not_learnt(target: Target, folds: list[RowSplit]) -> list[FitWarning]:
    lacking = [fold.unlearnt for fold in folds if fold.unlearnt and _tests_unlearnt(fold)]
    if not lacking:
        return []
    labels = list(dict.fromkeys(label for each in lacking for label in each))
    said = (
        f"in {len(lacking)} of {len(folds)} folds no training row has these classes of column "
        f"{target.name}, and their test rows count as wrong: {listed(list(map(label_key, labels)))}"
    )
    return [FitWarning(type="class_not_learnt", detail=said, field=target.name)]


def _tests_unlearnt(fold: RowSplit) -> bool:
    assert fold.labels is not None
    return bool((fold.y_test >= len(fold.labels)).any())
