"""Collect the cells of a column, chunk by chunk, in little memory."""

from collections import Counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.protocol.cells import means_missing, number_with_marks, plain_boolean

FEW = 0.05  # the largest share of texts among numbers that count as missing values
_WORDS = 1000  # different texts; a column with more is one of text
_ENOUGH = 50_000  # texts; with more, and more than numbers, a column is one of text
_EXACT = 2.0**53  # whole numbers below it are exact as float64

_Numbers = npt.NDArray[np.float64]
InferredKind = Literal["number", "boolean", "text", "date", "empty"]


class ColumnCells:
    """The cells of a column, whose `kind` is inferred from all cells.

    With `as_text` the kind is text. Without, numbers are kept as float64. `must_be_reread` tells
    whether the column turned out to be text after its texts were forgotten. `words` counts the
    cells that are neither numbers nor missing values, incompletely in a column of many different
    texts. `missing` counts the texts that mean a missing value among numbers, as far as they are
    known. `inexact` tells of whole numbers that float64 rounds, `has_gaps` of missing values.
    """

    def __init__(self, *, as_text: bool = False) -> None:
        """Begin without cells."""
        self.as_text = as_text
        self.missing: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.inexact = self.has_gaps = False
        self._numbers = self._booleans = 0
        self._dates = False
        self._many_words = False
        self._parts: list[_Numbers | pd.Series[Any]] = []

    def add(self, cells: "pd.Series[Any]") -> None:
        """Add the next cells, as pandas reads them, NaN if they are missing."""
        if cells.dtype == "str":
            self._parts.append(self._add_texts(cells))
        elif cells.dtype.kind in "iuf" or pd.api.types.infer_dtype(cells) == "integer":
            self._parts.append(self._add_numbers(cells))
        else:
            for value, count in cells.value_counts().items():
                self.words[str(value)] += count
                self._booleans += count
            self.has_gaps |= cells.hasnans
            self._parts.append(cells)

    def add_dates(self, days: "pd.Series[Any]") -> None:
        """Add the next cells of a column of dates: days from 1970-01-01 UTC, NaN if missing."""
        self._dates = True
        values = days.to_numpy(np.float64)
        missing = int(np.count_nonzero(np.isnan(values)))
        self.has_gaps |= missing > 0
        self._numbers += len(values) - missing
        self._parts.append(values)

    @property
    def kind(self) -> InferredKind:
        """The type of the column."""
        others = self.words.total()
        filled = self._numbers + others
        if self.as_text or self._many_words:
            return "text"
        if not filled:
            return "empty"
        if self._dates:
            return "date"
        if self._booleans == filled:
            return "boolean"
        return "number" if others <= FEW * filled and not self.marked_number else "text"

    @property
    def holds_classes(self) -> bool:
        """Whether the cells can only be classes: booleans, or up to 1,000 texts and no number."""
        if self.kind == "boolean":
            return True
        numbers = self._numbers or self._many_words or self.marked_number
        return self.kind == "text" and not numbers

    @property
    def marked_number(self) -> str | None:
        """A text that would be a number without its separators, percent or currency sign."""
        return next(filter(number_with_marks, self.words), None)

    @property
    def must_be_reread(self) -> bool:
        """Tell whether the column is text, and the texts of some cells were not kept."""
        if self.as_text or self.kind != "text":
            return False
        return self.has_gaps or any(isinstance(part, np.ndarray) for part in self._parts)

    def gaps(self) -> npt.NDArray[np.bool]:
        """Return which cells are missing [rows]."""
        return np.concatenate([np.asarray(pd.isna(part)) for part in self._parts])

    def values(self) -> _Numbers:
        """Return the numbers, or booleans as 1 and 0; NaN for others. Forget the cells."""
        read = _boolean_values if self.kind == "boolean" else _number_values
        parts = [read(self._parts.pop(0)) for _ in range(len(self._parts))]
        return np.concatenate(parts) if parts else np.empty(0)

    def texts(self) -> "pd.Series[Any]":
        """Return the texts, NaN for empty cells. Forget the cells."""
        parts, self._parts = self._parts, []
        texts = [pd.Series(part, dtype="str", copy=False) for part in parts]
        return texts[0] if len(texts) == 1 else pd.concat(texts, ignore_index=True)

    def _add_numbers(self, cells: "pd.Series[Any]") -> _Numbers:
        whole = cells.dtype.kind != "f"
        values = cells.to_numpy(np.float64, copy=True)  # a view would keep the whole chunk
        missing = int(np.count_nonzero(np.isnan(values)))
        self.has_gaps |= missing > 0
        self._numbers += len(values) - missing
        largest = np.fmax.reduce(np.abs(values), initial=0)
        self.inexact |= bool(largest >= _EXACT and (whole or largest < 2**64))
        return values

    def _add_texts(self, cells: "pd.Series[Any]") -> "_Numbers | pd.Series[Any]":
        """Count texts by their meaning; return their numbers if few are other texts."""
        if self.as_text:
            return cells
        self.has_gaps = self.has_gaps or cells.hasnans
        if self._many_words:
            return cells
        counts = cells.value_counts()
        texts = pd.Series(counts.index, dtype=object)
        # Only the first texts are tried, because pandas takes long for a text that is no number.
        self._many_words = _count_words(texts[: 2 * _WORDS]) > _WORDS
        if self._many_words:
            return cells
        numbers = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
        words, missing = 0, Counter[str]()
        for text, count in counts[~numbers].items():
            if means_missing(str(text)):
                if text:
                    missing[str(text)] += count
                continue
            self.words[str(text)] += count
            words += count
            if plain_boolean(str(text)) is not None:
                self._booleans += count
        others = self.words.total() - self._booleans
        self._many_words |= others > _ENOUGH and others > self._numbers
        read = int(counts[numbers].sum())
        if not read or words > FEW * read:
            self._numbers += read
            self.missing += missing
            return cells
        # Its missing values become gaps, which are counted when all cells are known.
        return self._add_numbers(pd.to_numeric(cells, errors="coerce"))


def _count_words(texts: "pd.Series[Any]") -> int:
    return int(pd.to_numeric(texts, errors="coerce").isna().sum())


def _number_values(part: "_Numbers | pd.Series[Any]") -> _Numbers:
    return (
        part
        if isinstance(part, np.ndarray)
        else pd.to_numeric(part, errors="coerce").to_numpy(np.float64)
    )


def _boolean_values(part: "_Numbers | pd.Series[Any]") -> _Numbers:
    if isinstance(part, np.ndarray):
        return part
    if part.dtype == "str":
        part = part.map(plain_boolean, na_action="ignore")
    return part.to_numpy(np.float64)
