"""The rows of a mirrored call that are counted by feature."""

from collections.abc import Container, Mapping, Sequence
from heapq import nsmallest
from typing import Any

from app.models.feature_counts import MAX_FEATURES, MAX_TEXT, ComparedRow, Outcome
from app.protocol.wording import nfc

MAX_ROWS = 100  # of a call; of more rows, every second one, or every third, and so on
_Plain = bool | int | float | str | None


def compared_rows(
    inputs: Any, outcomes: Sequence[Outcome], known: Container[str] | None = None
) -> list[ComparedRow]:
    """Return rows with their values; `inputs` are a row or a list of rows, one for each outcome.

    Inputs without names, such as images, have no rows here. With `known` features in Unicode's form
    NFC, others are left out: callers may send fields of their own, which no model reads.
    """
    rows = inputs if isinstance(inputs, list) else [inputs]
    step = max(1, -(-len(rows) // MAX_ROWS))
    chosen = zip(rows[::step], outcomes[::step], strict=False)
    return [ComparedRow(_kept(row, known), each) for row, each in chosen if isinstance(row, dict)]


def _kept(row: Mapping[str, Any], known: Container[str] | None) -> dict[str, Any]:
    """Return the values that are counted: of too many features the first by name, cut."""
    if known is not None:
        row = {name: value for name, value in row.items() if nfc(name) in known}
    names = row if len(row) <= MAX_FEATURES else nsmallest(MAX_FEATURES, row)
    return {name: _cut(row[name]) for name in names if len(name) <= MAX_TEXT}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        # A lone surrogate, which JSON can name, has no bytes.
        return value[:MAX_TEXT].encode(errors="replace").decode()
    return value if isinstance(value, _Plain) else ()
