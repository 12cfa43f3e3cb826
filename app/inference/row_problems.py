"""The report of rows that could not be scored: how many, which first, and why."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from app.protocol.wording import quoted

ProblemType = Literal["missing_value", "wrong_value", "no_answer"]

FIRST_ROWS = 10  # that are named of each problem
MAX_PROBLEMS = 100  # in the report of a job
MAX_PART_PROBLEMS = 1000  # in that of a part
_FITTING = {
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2025-01-31 or 2025-01-31T12:00:00Z",
    "text": "a text",
    "category": "a text",
}


class RowProblems:
    """Counts rows by the type of their problem and the column that it is about.

    Rows are numbered from 1, the first row below the header.
    """

    def __init__(self) -> None:
        """Begin without problems."""
        self._found: dict[tuple[str, str | None], dict[str, Any]] = {}

    def add(
        self,
        kind: ProblemType,
        column: str | None,
        rows: npt.NDArray[np.int64],
        detail: str,
    ) -> None:
        """Count rows, in ascending order; the first `detail` of a problem is shown."""
        if len(rows):
            found = {"type": kind, "column": column, "count": len(rows), "detail": detail}
            self.merge([{**found, "rows": rows[:FIRST_ROWS].tolist()}])

    def merge(self, problems: Iterable[dict[str, Any]]) -> None:
        """Add the problems of later rows."""
        for each in problems:
            known = self._found.setdefault(
                (each["type"], each["column"]), {**each, "count": 0, "rows": []}
            )
            known["count"] += each["count"]
            known["rows"] = (known["rows"] + each["rows"])[:FIRST_ROWS]

    def report(self, most: int | None = MAX_PROBLEMS) -> list[dict[str, Any]]:
        """Return the problems, the most frequent first, `most` of them or all.

        Each has `type`, `column`, `count`, the first `rows` and a `detail`.
        """
        found = sorted(self._found.values(), key=lambda each: (-each["count"], each["rows"]))
        return found[:most]


def missing_detail(column: str) -> str:
    """Return what is wrong with an empty cell."""
    return f"column {quoted(column)} is empty, and the model takes no missing values in it"


def wrong_detail(column: str, kind: str, cell: str) -> str:
    """Return what is wrong with a cell that the model does not take."""
    return f"column {quoted(column)}: expected {_FITTING[kind]}, not {quoted(cell)}"
