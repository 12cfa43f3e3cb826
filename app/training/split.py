"""Split the rows of a data set into those to learn from and those to test with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from app.models.manifest import FitWarning
from app.protocol.estimators import SEED
from app.protocol.label_keys import Label, label_key
from app.protocol.wording import listed
from app.training.target import Target

_FEW_TEST_ROWS = 10


@dataclass(frozen=True)
class Split:
    """The places of the rows `train` and `test`, and their targets.

    The targets of a classifier are places in `labels`, the classes that the training rows have,
    followed by `unlearnt`, those that only test rows have.
    """

    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]
    y_train: npt.NDArray[Any]
    y_test: npt.NDArray[Any]
    labels: list[Label] | None
    unlearnt: list[Label]
    warnings: list[FitWarning]


def split_rows(target: Target, test_size: float) -> Split:
    """Split at random; `test_size` is the share of the test rows, or from 1 on their number.

    The rows are those of scikit-learn's `train_test_split` with `random_state` 42. For a classifier
    it is stratified if each class has two rows, and both parts have room for a row of each class.
    Raises `ValueError` for rows that cannot be split, or if one class is left to learn from.
    """
    size = int(test_size) if test_size >= 1 else test_size
    rows = np.arange(len(target.y))
    split = {"test_size": size, "random_state": SEED}
    stratified = target.labels is not None and _can_stratify(target.y, size)
    train, test = train_test_split(rows, stratify=target.y if stratified else None, **split)
    y_train, y_test = target.y[train], target.y[test]
    if target.labels is None:
        return Split(train, test, y_train, y_test, None, [], _few(len(test)))
    learnt = np.unique(y_train)
    if len(learnt) < 2:
        raise ValueError("only one class is left in the training rows")
    others = np.setdiff1d(np.arange(len(target.labels)), learnt)
    places = np.argsort(np.concatenate([learnt, others]))
    found = _few(len(test))
    if not stratified:
        found.append(_not_stratified(target.name, target.labels, target.y))
    labels = [target.labels[code] for code in learnt]
    unlearnt = [target.labels[code] for code in others]
    if unlearnt:
        found.append(_not_learnt(target.name, unlearnt))
    return Split(train, test, places[y_train], places[y_test], labels, unlearnt, found)


def _can_stratify(y: npt.NDArray[Any], size: float) -> bool:
    """Tell whether scikit-learn can give each part its share of each class."""
    counts = np.bincount(y)
    test = int(size) if size >= 1 else int(np.ceil(size * len(y)))
    return bool(counts.min() >= 2 and min(test, len(y) - test) >= len(counts))


def _few(test_rows: int) -> list[FitWarning]:
    if test_rows >= _FEW_TEST_ROWS:
        return []
    rows = "1 test row" if test_rows == 1 else f"{test_rows} test rows"
    said = f"the metrics are measured on {rows} only, and may be far off"
    return [FitWarning(type="few_test_rows", detail=said, field="test_size")]


def _not_stratified(name: str, labels: list[Label], y: npt.NDArray[Any]) -> FitWarning:
    single = [label_key(labels[code]) for code in np.flatnonzero(np.bincount(y) < 2)]
    why = f"have a single row: {listed(single)}" if single else "are more than the rows of a part"
    said = f"the split is not stratified, because classes of column {name} {why}"
    return FitWarning(type="not_stratified", detail=said, field=name)


def _not_learnt(name: str, labels: list[Label]) -> FitWarning:
    said = (
        f"no training row has these classes of column {name}, so the model never answers them, "
        f"and their test rows count as wrong: {listed([label_key(label) for label in labels])}"
    )
    return FitWarning(type="class_not_learnt", detail=said, field=name)
