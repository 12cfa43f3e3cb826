"""Rows of data frames for predictions, and answers with their index."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from warren_client.errors import Unsendable
from warren_client.frames import with_text_names
from warren_client.values import Plain, plain


def frame_rows(
    frame: pd.DataFrame, wanted: Sequence[str] | None
) -> tuple[list[str], list[list[Plain]]]:
    """Return the names and the rows of a frame; of the columns those that are wanted.

    Raises `Unsendable` for a column that is missing, or a value that JSON has no form of.
    """
    named = with_text_names(frame)
    columns = list(named.columns) if wanted is None else list(wanted)
    if missing := [name for name in columns if name not in named.columns]:
        raise Unsendable(
            f"the frame has no column {', '.join(map(repr, missing[:5]))}, which the model needs"
        )
    values = [_values(name, named[name]) for name in columns]
    return columns, [list(row) for row in zip(*values, strict=True)]


def predictions_like(
    frame: pd.DataFrame, predictions: list[Any], target: str | None
) -> "pd.Series[Any]":
    """Return predictions as a Series with the index of the frame, and the name of the target."""
    name = target or "prediction"
    if not predictions:
        return pd.Series([], index=frame.index, name=name, dtype=float)
    return pd.Series(predictions, index=frame.index, name=name)


def probabilities_like(
    frame: pd.DataFrame, probabilities: list[Any], labels: Sequence[Any] | None
) -> pd.DataFrame:
    """Return the probability of each label as columns, with the index of the frame."""
    columns = list(labels) if labels is not None else None
    return pd.DataFrame(probabilities, index=frame.index, columns=columns)


def _values(name: str, column: "pd.Series[Any]") -> list[Plain]:
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "biu":
        return list(column.tolist())
    if isinstance(kind, np.dtype) and kind.kind == "f" and np.isfinite(column.to_numpy()).all():
        return [float(value) for value in column.tolist()]
    try:
        return [plain(value) for value in column.astype(object)]
    except Unsendable as error:
        raise Unsendable(f"column {name!r}: {error.detail}") from None
