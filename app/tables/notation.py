"""Rewrite numbers with decimal commas or groups of thousands as numbers of plain CSV."""

import re
from typing import Any

import numpy as np
import pandas as pd

from app.tables.dialect import Dialect

_BLANKS = "[ \u00a0\u2009\u202f]"
_MARKS = {",": ",", ".": r"\.", " ": _BLANKS, "'": "['\u2019]"}
_GROUPED_BY_POINTS = re.compile(r"\s*[-+]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?\s*")
_SWAPPED = str.maketrans(".,", ",.")


class Notation:
    """The notation of the numbers of a CSV."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile the pattern of a number."""
        self._decimal = dialect.decimal
        mark = _MARKS[dialect.thousands] if dialect.thousands else ""
        groups = f"|[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+" if mark else ""
        self._mark = re.compile(mark) if mark else None
        self._number = re.compile(
            rf"\s*([-+]?)([0-9]*{groups})(?:{re.escape(dialect.decimal)}([0-9]+))?"
            r"((?:[eE][-+]?[0-9]+)?)\s*"
        )

    def plain_text(self, cell: str) -> str:
        """Return a number in plain notation; other texts as they are.

        With decimal commas and no declared groups, a cell such as 1.234 becomes 1,234: that is no
        plain number, so a training warns of it.
        """
        found = self._number.fullmatch(cell)
        if found and (found[2] or found[3]):
            sign, whole, decimals, exponent = found.groups()
            whole = self._mark.sub("", whole) if self._mark else whole
            return f"{sign}{whole}{'.' + decimals if decimals else ''}{exponent}"
        if self._decimal == "," and _GROUPED_BY_POINTS.fullmatch(cell):
            return cell.translate(_SWAPPED)
        return cell

    def plain(self, cells: "pd.Series[Any]") -> "pd.Series[Any]":
        """Return a column of texts, NaN for missing ones, with its numbers in plain notation."""
        codes, distinct = pd.factorize(cells)
        texts = np.array([*map(self.plain_text, distinct), None], object)
        return pd.Series(texts[codes], index=cells.index, dtype="str")
