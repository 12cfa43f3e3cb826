"""Split the rows of a data set into those to learn from and those to test with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from app import errors
from app.models.manifest import FitWarning
from app.protocol.label_keys import Label, label_key
from app.protocol.training_options import Split
from app.protocol.wording import listed
from app.training.row_columns import RowColumns
from app.training.target import Target

_FEW_TEST_ROWS = 10

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class RowSplit:
    """The places of the training and of the test rows, and their targets, all [rows].

    The targets of a classifier are places in `labels`, the classes that the training rows have,
    followed by `unlearnt`, those that only test rows have.
    """

    train: Places
    test: Places
    y_train: npt.NDArray[Any]
    y_test: npt.NDArray[Any]
    labels: list[Label] | None
    unlearnt: list[Label]
    warnings: list[FitWarning]


def split_rows(
    target: Target, asked: Split, columns: RowColumns, *, refits: bool = False
) -> RowSplit:
    """Split the rows as `asked`, whose `test_size` is not None; 0 leaves no row to test with.

    `refits` tells whether another model learns from all rows afterwards, which changes a warning.

    The parts are those of scikit-learn's `train_test_split`. With `time`, the rows are sorted by it
    and not shuffled. With `group`, the parts are those of `GroupShuffleSplit`. Raises `ValueError`
    or `errors.BadData` for rows that cannot be split, or if only one class is left to learn from.
    """
    count, size = len(target.y), asked.test_size or 0
    seed = asked.random_state
    if not size:
        return part_rows(target, np.arange(count), np.empty(0, np.intp))
    if columns.groups is not None:
        train, test = _by_group(columns.groups, str(asked.group), size, seed)
        split = part_rows(target, train, test)
    elif columns.times is not None:
        order = in_time(columns.times)
        train, test = train_test_split(order, test_size=size, shuffle=False)
        split = part_rows(target, train, test)
        split.warnings.extend(tie_warnings(columns.times, str(asked.time), [(train, test)]))
    else:
        split = _by_chance(target, asked, size)
    split.warnings[:0] = _few(len(split.test))
    if split.unlearnt:
        split.warnings.append(_not_learnt(target.name, split.unlearnt, refits=refits))
    return split


def part_rows(target: Target, train: Places, test: Places) -> RowSplit:
    """Return the split with these places, and the targets of both parts.

    Raises `ValueError` if only one class is left to learn from.
    """
    y_train, y_test = target.y[train], target.y[test]
    if target.labels is None:
        return RowSplit(train, test, y_train, y_test, None, [], [])
    learnt = np.unique(y_train)
    if len(learnt) < 2:
        raise ValueError("only one class is left in the training rows")
    others = np.setdiff1d(np.arange(len(target.labels)), learnt)
    places = np.argsort(np.concatenate([learnt, others]))
    labels = [target.labels[code] for code in learnt]
    unlearnt = [target.labels[code] for code in others]
    return RowSplit(train, test, places[y_train], places[y_test], labels, unlearnt, [])


def in_time(times: npt.NDArray[np.float64]) -> Places:
    """Return the places of the rows from the first to the last; ties keep their order."""
    return np.argsort(times, kind="stable")


def tie_warnings(
    times: npt.NDArray[np.float64], name: str, parts: list[tuple[Places, Places]]
) -> list[FitWarning]:
    """Return the warning about training rows at the time of the first test row of their split."""
    ties = sum(int((times[train] == times[test].min()).sum()) for train, test in parts)
    if not ties:
        return []
    rows = "1 training row has" if ties == 1 else f"{ties:,} training rows have"
    said = f"{rows} the same value of column {name} as test rows, so not all test rows are later"
    return [FitWarning(type="time_ties", detail=said, field=name)]


def _by_chance(target: Target, asked: Split, size: float) -> RowSplit:
    """Split at random; stratified if `asked` demands it, or if it is `auto` and possible."""
    stratified, found = target.labels is not None and asked.stratify is not False, []
    if stratified and not _can_stratify(target.y, size):
        found = [_not_stratified(target)]
        if asked.stratify is True:
            raise errors.BadData("split.stratify", found[0].detail)
        stratified = False
    train, test = train_test_split(
        np.arange(len(target.y)),
        test_size=size,
        random_state=asked.random_state,
        stratify=target.y if stratified else None,
    )
    split = part_rows(target, train, test)
    split.warnings[:0] = found
    return split


def _by_group(groups: Places, name: str, size: float, seed: int | None) -> tuple[Places, Places]:
    count = int(groups.max()) + 1
    if count < 2:
        raise errors.BadData("split.group", f"column {name} has one value only; a split needs two")
    if (size if size >= 1 else np.ceil(size * count)) >= count:
        raise errors.BadData(
            "test_size",
            f"with split.group it counts groups, and {size:g} of {count} leaves none to learn from",
        )
    parts = GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    train, test = next(parts.split(groups, groups=groups))
    return train, test


def _can_stratify(y: npt.NDArray[Any], size: float) -> bool:
    """Tell whether scikit-learn can give each part its share of each class."""
    counts = np.bincount(y)
    test = int(size) if size >= 1 else int(np.ceil(size * len(y)))
    return bool(counts.min() >= 2 and min(test, len(y) - test) >= len(counts))


def _few(test_rows: int) -> list[FitWarning]:
    if test_rows >= _FEW_TEST_ROWS:
        return []
    rows = "1 test row" if test_rows == 1 else f"{test_rows} test rows"
    said = f"the metrics are measured on {rows} only, and may be far off; raise test_size"
    return [FitWarning(type="few_test_rows", detail=said, field="test_size")]


def _not_stratified(target: Target) -> FitWarning:
    assert target.labels is not None
    rare = np.flatnonzero(np.bincount(target.y) < 2)
    single = [label_key(target.labels[code]) for code in rare]
    why = f"have a single row: {listed(single)}" if single else "are more than the rows of a part"
    said = f"the split is not stratified, because classes of column {target.name} {why}"
    return FitWarning(type="not_stratified", detail=said, field=target.name)


def _not_learnt(name: str, labels: list[Label], *, refits: bool) -> FitWarning:
    so = "" if refits else "so the model never answers them, "
    said = (
        f"no training row has these classes of column {name}, {so}and their test rows count as "
        f"wrong: {listed([label_key(label) for label in labels])}"
    )
    return FitWarning(type="class_not_learnt", detail=said, field=name)
