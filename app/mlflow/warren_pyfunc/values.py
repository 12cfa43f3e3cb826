"""Read the values of a data frame as a row of `/predict` is read."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_PER_DAY = 86_400_000_000.0
_BOOLEANS = dict.fromkeys(("true", "True", "TRUE"), "true") | dict.fromkeys(
    ("false", "False", "FALSE"), "false"
)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # neither leading zeros nor an exponent
_FITTING = {
    "number": "a number",
    "boolean": "true or false",
    "text": "a text",
    "category": "a text, a number, true or false",
    "date": "a date such as 2025-01-31 or 2025-01-31T12:00:00Z",
}


def read_column(frame: pd.DataFrame, feature: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return the values of a feature [rows].

    Texts and categories are texts, "" where one is missing. The others are float64, NaN where one
    is missing: dates are days since 1970-01-01 UTC, booleans 1 and 0. Raises `ValueError`.
    """
    cells = frame[feature["name"]]
    if feature["type"] == "number" and cells.dtype.kind in "iuf" and not feature["missing"]:
        return _numbers(cells, feature)
    read = [_read(feature, plain(cell), row) for row, cell in enumerate(cells.tolist())]
    if feature["type"] in ("text", "category"):
        return np.array([value or "" for value in read], object)
    return np.array(read, np.float64)  # None becomes NaN


def category(value: str | float | bool) -> str:
    """Return the category of a value: 1, 1.0 and "1.00" are "1"; booleans "true" and "false"."""
    text = str(value).strip()
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if not _DECIMAL.fullmatch(text):
        return text
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else "0" if whole == "-0" else whole


def days_of(text: str) -> float | None:
    """Return the days from 1970-01-01 UTC to an ISO 8601 date or time, None for other texts."""
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        passed = moment - _EPOCH
    except (ValueError, OverflowError):
        return None
    return float(passed // timedelta(microseconds=1)) / _MICROSECONDS_PER_DAY


def plain(cell: Any) -> Any:
    """Return the value of a cell as JSON has it: None if it is missing, a date as a text."""
    if isinstance(cell, str | bool):
        return cell
    if isinstance(cell, np.generic):
        cell = cell.item()
    if (
        cell is None
        or cell is pd.NA
        or cell is pd.NaT
        or (isinstance(cell, float) and cell != cell)
    ):
        return None
    return cell.isoformat() if isinstance(cell, date) else cell


def refuse(feature: Mapping[str, Any], value: Any, row: int) -> NoReturn:
    """Raise `ValueError` for a value that a feature cannot have; rows count from 0."""
    fitting = _FITTING[feature["type"]]
    if feature["type"] == "number" and isinstance(value, int | float) and value is not True:
        fitting = f"a number from {-feature['largest']:.5g} to {feature['largest']:.5g}"
    either = ", or none" if feature["nullable"] else ""
    name = feature["name"]
    raise ValueError(f"row {row}, column {name!r}: expected {fitting}{either}, not {value!r}")


def _numbers(cells: "pd.Series[Any]", feature: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Read a column of numbers at once."""
    values = cells.to_numpy(np.float64, na_value=np.nan)
    absent = np.isnan(values)
    wrong = np.abs(values) > feature["largest"]
    if not feature["nullable"]:
        wrong |= absent
    if wrong.any():
        row = int(wrong.argmax())
        refuse(feature, None if absent[row] else float(values[row]), row)
    return values


def _read(feature: Mapping[str, Any], value: Any, row: int) -> Any:
    """Return what a value means to the model, None if it is missing."""
    if value is None or (feature["missing"] and _means_missing(feature, value)):
        if not feature["nullable"]:
            refuse(feature, value, row)
        return None
    found: Any = None
    match feature["type"]:
        case "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            found = value if is_number and abs(value) <= feature["largest"] else None
        case "boolean":
            found = value if isinstance(value, bool) else None
        case "text":
            found = value if isinstance(value, str) else None
        case "category":
            found = category(value) if isinstance(value, str | int | float) else None
        case "date":
            found = days_of(value) if isinstance(value, str) else None
    if found is None:
        refuse(feature, value, row)
    return found


def _means_missing(feature: Mapping[str, Any], value: Any) -> bool:
    """Tell whether the training declared a value to mean a missing one."""
    if isinstance(value, str) and feature["type"] != "category":
        return value.strip() in feature["missing"]
    if not isinstance(value, str | int | float):
        return False
    return category(value) in map(category, feature["missing"])
