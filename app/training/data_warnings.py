"""Warn about columns that are probably not what the user takes them for.

Most checks begin with a sample of the rows, and look at all only where the sample is suspicious, so
that a million rows of fifty columns take a second.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.models.manifest import Feature, FitWarning
from app.protocol.label_keys import label_key
from app.protocol.wording import listed, quoted
from app.training.target import Target

_SAMPLE = 1000  # rows
_MANY_ROWS = 100  # of which an identifier has as many values
_MANY_CATEGORIES = 100
_RARE = 5  # rows of a class
_CORRELATED = 1 - 1e-10
_OF_A_TYPE = 5  # warnings of one type


def limit_warnings(warnings: Iterable[FitWarning]) -> list[FitWarning]:
    """Return at most five warnings of each type; a sixth one lists the columns of the others."""
    groups: dict[str, list[FitWarning]] = {}
    for each in warnings:
        groups.setdefault(each.type, []).append(each)
    shown = []
    for kind, group in groups.items():
        shown += group[:_OF_A_TYPE]
        if rest := group[_OF_A_TYPE:]:
            said = f"the same is true of {len(rest):,} more: {listed([str(w.field) for w in rest])}"
            shown.append(FitWarning(type=kind, detail=said))
    return shown


def dropped_row_warnings(target: str, dropped: int) -> list[FitWarning]:
    """Return the warning about rows without a target."""
    if not dropped:
        return []
    rows = "1 row, which was" if dropped == 1 else f"{dropped:,} rows, which were"
    said = f"column {target} has no value in {rows} left out"
    return [FitWarning(type="rows_dropped", detail=said, field=target)]


def leading_zero_warnings(cells: Mapping[str, str]) -> list[FitWarning]:
    """Return the warnings about numbers with leading zeros; `cells` has one of each column."""
    return [
        FitWarning(
            type="leading_zeros",
            detail=f"column {name} is read as numbers, so that {quoted(cell)} lost its leading "
            'zeros; declare its type "category" if it holds codes',
            field=name,
        )
        for name, cell in cells.items()
    ]


def column_warnings(
    frame: pd.DataFrame, features: list[Feature], target: Target
) -> list[FitWarning]:
    """Return the warnings about the classes, and about features and how they relate."""
    found = _class_warnings(target)
    rows = np.unique(np.linspace(0, len(frame) - 1, _SAMPLE).astype(int))
    samples, heads = frame.iloc[rows], dict[bytes | tuple[Any, ...], str]()
    for feature in features:
        column, sample = frame[feature.name], samples[feature.name]
        found += _single_column_warnings(column, sample, feature)
        # Columns with the same sample are compared with the first of them.
        values = sample.to_numpy()
        shown = values.tobytes() if feature.is_number else tuple(sample.fillna("").tolist())
        first = heads.setdefault(shown, feature.name)
        if first != feature.name and column.equals(frame[first]):
            said = f"column {feature.name} holds the same values as column {first}"
            found.append(FitWarning(type="duplicate_column", detail=said, field=feature.name))
        if _determines(sample, target.y[rows], target) and _determines(column, target.y, target):
            said = (
                f"column {feature.name} determines column {target.name} alone; leave it out if it "
                "is not known before the target is"
            )
            found.append(FitWarning(type="equals_target", detail=said, field=feature.name))
    return found


def _class_warnings(target: Target) -> list[FitWarning]:
    if target.labels is None:
        return []
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


def _single_column_warnings(
    column: "pd.Series[Any]", sample: "pd.Series[Any]", feature: Feature
) -> list[FitWarning]:
    """Return the warnings about a column alone."""
    name, rows = feature.name, len(column)
    distinct = len(pd.unique(sample)) - sample.hasnans
    if distinct <= 1 and column.nunique() <= 1 and not feature.nullable:
        said = f"column {name} holds the same value in each row"
        return [FitWarning(type="constant_column", detail=said, field=name)]
    whole = feature.type == "number" and bool((sample % 1 == 0).all() and (sample < 2**63).all())
    identifies = rows >= _MANY_ROWS and distinct == len(sample) and (whole or not feature.is_number)
    if identifies and column.nunique() == rows:
        kind = "whole number" if whole else "text"
        said = f"column {name} holds another {kind} in each row, as an identifier does"
        return [FitWarning(type="identifier_like", detail=said, field=name)]
    if not feature.is_number and distinct > _MANY_CATEGORIES:
        said = f"column {name} has {column.nunique()} different texts; each became a column"
        return [FitWarning(type="many_categories", detail=said, field=name)]
    return []


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
