"""Collect the cells of a CSV's column, chunk by chunk, in little memory."""

from collections import Counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.protocol.cells import means_missing, number_with_marks, plain_boolean

FEW = 0.05  # the largest share of texts among numbers that count as missing values
_WORDS = 1000  # different texts, above which a column is one of texts
_EXACT = 2.0**53  # whole numbers below it are exact as float64

InferredKind = Literal["number", "boolean", "text", "empty"]


class ColumnCells:
    """The cells of a column, of which the `kind` is inferred from all of them.

    Numbers are kept as float64. Where the column shows later to be text, `lost` tells that it has
    to be read again, with `as_text`, which keeps the texts of all cells. `missing` counts the texts
    that mean a missing value among numbers, `words` the other texts; both are incomplete in a
    column of many different texts. `inexact` tells of whole numbers that float64 rounds.
    """

    def __init__(self, *, as_text: bool = False) -> None:
        """Begin without cells."""
        self.as_text = as_text
        self.missing: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.inexact = False
        self._numbers = self._booleans = 0
        self._many_words = False
        self._parts: list[pd.Series[Any]] = []

    def add(self, cells: "pd.Series[Any]") -> None:
        """Add the next cells, as pandas reads them: NaN if empty."""
        first = None if (place := cells.first_valid_index()) is None else cells[place]
        if isinstance(first, str):
            self._parts.append(self._add_texts(cells))
        elif isinstance(first, bool | np.bool):
            for value, count in cells.value_counts().items():
                self.words[str(value)] += count
                self._booleans += count
            self._parts.append(cells)
        else:
            self._parts.append(self._add_numbers(cells))

    @property
    def kind(self) -> InferredKind:
        """The type of the column."""
        others = self.words.total()
        filled = self._numbers + others
        if self._many_words:
            return "text"
        if not filled:
            return "text" if self.missing else "empty"
        if self._booleans == filled:
            return "boolean"
        return "number" if others <= FEW * filled and not self.marked_number else "text"

    @property
    def marked_number(self) -> str | None:
        """A text that would be a number without its separators, percent or currency sign."""
        return next(filter(number_with_marks, self.words), None)

    @property
    def lost(self) -> bool:
        """Tell whether texts are needed of which only the numbers or booleans are kept."""
        return self.kind == "text" and not all(map(_is_text, self._parts))

    def values(self) -> npt.NDArray[np.float64]:
        """Return the numbers, or booleans as 1 and 0; NaN for others. Forget the cells."""
        read = _boolean_values if self.kind == "boolean" else _number_values
        parts = [read(self._parts.pop(0)) for _ in range(len(self._parts))]
        return np.concatenate(parts) if parts else np.empty(0)

    def texts(self) -> "pd.Series[Any]":
        """Return the texts, NaN for empty cells. Forget the cells."""
        parts, self._parts = self._parts, []
        return pd.concat([part.astype("str") for part in parts], ignore_index=True)

    def _add_numbers(self, cells: "pd.Series[Any]") -> "pd.Series[Any]":
        values, whole = cells.astype(np.float64), cells.dtype.kind != "f"
        self._numbers += int(values.count())
        largest = max(abs(values.min()), abs(values.max()))  # NaN if all are empty
        self.inexact |= bool(largest >= _EXACT and (whole or largest < 2**64))
        return values

    def _add_texts(self, cells: "pd.Series[Any]") -> "pd.Series[Any]":
        """Count texts by their meaning; return their numbers if few are other texts."""
        if self._many_words:
            return cells
        counts = cells.value_counts()
        texts = pd.Series(counts.index, dtype=object)
        numbers = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
        self._many_words = len(counts) - numbers.sum() > _WORDS
        if self._many_words:
            return cells
        self._numbers += (filled := int(counts[numbers].sum()))
        words = 0
        for text, count in counts[~numbers].items():
            if means_missing(str(text)):
                self.missing[str(text)] += count if text else 0
                continue
            self.words[str(text)] += count
            words += count
            if plain_boolean(str(text)) is not None:
                self._booleans += count
        if self.as_text or not filled or words > FEW * filled:
            return cells
        self._numbers -= filled  # they are counted again, as numbers
        return self._add_numbers(pd.to_numeric(cells, errors="coerce"))


def _is_text(part: "pd.Series[Any]") -> bool:
    """Tell whether a part holds texts, or nothing."""
    return part.dtype == "str" or not part.count()


def _number_values(part: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    return pd.to_numeric(part, errors="coerce").to_numpy(np.float64)


def _boolean_values(part: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    if part.dtype == "str":
        part = part.map(plain_boolean, na_action="ignore")
    return part.to_numpy(np.float64)
