"""Warn about columns that are probably not what the user takes them for.

Most checks begin with a sample of the rows, and look at all only where the sample is suspicious, so
that a million rows of fifty columns take a second.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.models.manifest import Feature, FitWarning
from app.protocol.label_keys import label_key
from app.protocol.training_options import Preprocessing
from app.protocol.training_request import TrainingSpec
from app.protocol.wording import listed
from app.tables.column_warnings import sampled_rows, single_column_warnings
from app.training.target import Target

_RARE = 5  # rows of a class
_CORRELATED = 1 - 1e-10


def dropped_row_warnings(target: str, dropped: int) -> list[FitWarning]:
    """Return the warning about rows without a target."""
    if not dropped:
        return []
    rows = "1 row, which was" if dropped == 1 else f"{dropped:,} rows, which were"
    said = f"column {target} has no value in {rows} left out"
    return [FitWarning(type="rows_dropped", detail=said, field=target)]


def unused_option_warnings(asked: TrainingSpec, features: list[Feature]) -> list[FitWarning]:
    """Return the warnings about options of the preprocessing for columns that there are not."""
    options = asked.preprocessing or Preprocessing()
    free = options.tfidf or []
    numbers = any(f.is_number for f in features)
    texts = any(not f.is_number and f.name not in free for f in features)
    unused = {
        "scaling": not numbers and options.scaling not in (None, "none"),
        "imputation": not numbers and options.imputation not in (None, "none"),
        "categories": not texts and options.categories is not None,
        "min_frequency": not texts and options.min_frequency is not None,
    }
    kinds = {"scaling": "number", "imputation": "number"}
    return [
        FitWarning(
            type="no_effect",
            detail=f"{option} has no effect, because no feature is a {kinds.get(option, 'text')}",
            field=f"preprocessing.{option}",
        )
        for option, given in unused.items()
        if given
    ]


def column_warnings(
    frame: pd.DataFrame, features: list[Feature], target: Target, free: Collection[str] = ()
) -> list[FitWarning]:
    """Return the warnings about the classes, and about features and how they relate.

    Columns of `free` text may hold another text in each row.
    """
    found = _class_warnings(target)
    rows = sampled_rows(len(frame))
    samples, heads = frame.iloc[rows], dict[bytes | tuple[Any, ...], str]()
    for feature in features:
        column, sample = frame[feature.name], samples[feature.name]
        if feature.name not in free:
            found += single_column_warnings(column, sample, feature)
        # Columns with the same sample are compared with the first of them.
        values = sample.to_numpy()
        shown = values.tobytes() if feature.is_number else tuple(sample.fillna("").tolist())
        first = heads.setdefault(shown, feature.name)
        if first != feature.name and column.equals(frame[first]):
            said = f"column {feature.name} holds the same values as column {first}"
            found.append(FitWarning(type="duplicate_column", detail=said, field=feature.name))
        if not target.name:
            continue
        if _determines(sample, target.y[rows], target) and _determines(column, target.y, target):
            said = (
                f"column {feature.name} determines column {target.name} alone; leave it out if it "
                "is not known before the target is"
            )
            found.append(FitWarning(type="equals_target", detail=said, field=feature.name))
    return found


def _constant_target(target: Target) -> list[FitWarning]:
    """Return the warning about numbers that are all the same; without a target there is none."""
    if not target.name or (target.y != target.y[0]).any():
        return []
    said = f"column {target.name} holds the same value in each row, so there is nothing to learn"
    return [FitWarning(type="constant_target", detail=said, field=target.name)]


def _class_warnings(target: Target) -> list[FitWarning]:
    if target.labels is None:
        return _constant_target(target)
    counts, found = np.bincount(target.y), []
    classes, mean = len(counts), len(target.y) / len(counts)
    if classes > 2 and mean < _RARE:
        texts = isinstance(target.labels[0], str)
        todo = "leave rare ones out, or add rows" if texts else "a regressor predicts numbers"
        said = f"column {target.name} has {classes:,} classes in {len(target.y):,} rows; {todo}"
        found.append(FitWarning(type="many_classes", detail=said, field=target.name))
    elif len(rare := np.flatnonzero(counts < _RARE)):
        names = [f"{label_key(target.labels[code])} ({counts[code]})" for code in rare]
        said = f"classes of column {target.name} with few rows: {listed(names)}"
        found.append(FitWarning(type="rare_classes", detail=said, field=target.name))
    return found


def _centred(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return values about 0, scaled so that their squares are neither infinite nor 0."""
    scaled: npt.NDArray[np.float64] = values / np.abs(values).max()
    return scaled - np.float64(scaled.mean())


def _determines(column: "pd.Series[Any]", y: npt.NDArray[Any], target: Target) -> bool:
    """Tell whether the values of a feature tell the target, and the other way round.

    The target of a regressor is a linear function of it then.
    """
    if target.labels is None:
        if column.dtype == "str":
            return False
        x = column.to_numpy()
        known = ~np.isnan(x)
        x, y = x[known], y[known]
        with np.errstate(over="ignore", invalid="ignore"):
            if len(x) < max(3, len(column) / 2) or np.ptp(x) == 0 or np.ptp(y) == 0:
                return False
            x, y = _centred(x), _centred(y)
            return bool(abs(x @ y) >= _CORRELATED * np.sqrt((x @ x) * (y @ y)))
    codes, values = pd.factorize(column)
    pairs = Counter(zip(codes.tolist(), y.tolist(), strict=True))
    return 2 <= len(values) == len(pairs) == len(np.unique(y)) < len(y)
