"""Warn about columns that are odd by themselves, whatever the target is.

The checks begin with a sample of the rows, and read all rows only if the sample is suspicious.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.models.manifest import Feature, FitWarning
from app.protocol.wording import listed, quoted

_SAMPLE = 1000  # rows
_MANY_ROWS = 100  # the fewest rows in which a column may look like an identifier
_MANY_CATEGORIES = 100
_OF_A_TYPE = 5  # warnings of one type


def sampled_rows(rows: int) -> npt.NDArray[np.int64]:
    """Return the places of the sampled rows, at most 1,000, at equal distances."""
    return np.unique(np.linspace(0, rows - 1, _SAMPLE).astype(int))


def limit_warnings(warnings: Iterable[FitWarning]) -> list[FitWarning]:
    """Return at most five warnings of each type, and a sixth one that names the other columns."""
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


def single_column_warnings(
    column: "pd.Series[Any]", sample: "pd.Series[Any]", feature: Feature
) -> list[FitWarning]:
    """Return the warnings about a single column; `sample` has its values in the sampled rows."""
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
        said = f"column {name} has {column.nunique()} different texts; each is a category"
        return [FitWarning(type="many_categories", detail=said, field=name)]
    return []
