"""Turn columns of Parquet and Arrow files into the cells that a CSV of the same table has."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from app.protocol.cells import date_of
from app.tables.arrow_types import arrow_kind, value_type

MICROSECONDS_PER_DAY = 86_400_000_000.0
_BEGIN, _END = -719_162.0, 2_932_897.0  # days to the begin of the year 1, and to the end of 9999


def typed_cells(array: pa.Array) -> "pd.Series[Any]":
    """Return a column of a kind that can be read [rows], NaN where a value is missing.

    Integers without a missing value keep their type; other numbers are float64. Booleans are True
    and False. An empty text is missing, as in a CSV. Dates and timestamps are days from 1970-01-01
    UTC. Raises `OverflowError` for one outside of the years 1 to 9999.
    """
    array = _decoded(array)
    match arrow_kind(array.type):
        case "number":
            return _numbers(array)
        case "boolean":
            if not array.null_count:
                return pd.Series(array.to_numpy(zero_copy_only=False))
            return pd.Series(array.to_pandas().to_numpy(object), dtype=object).fillna(np.nan)
        case "text":
            texts = pd.Series(array.to_pandas(), dtype="str")
            return texts.mask(texts == "")
        case "date":
            return pd.Series(_days(array))
    return pd.Series(np.full(len(array), np.nan))


def text_cells(array: pa.Array) -> "pd.Series[Any]":
    """Return a column as the texts that a CSV of the table has [rows], NaN where one is missing.

    Raises as `typed_cells` does.
    """
    array = _decoded(array)
    if arrow_kind(array.type) == "text":
        return typed_cells(array)
    texts: list[str | None]
    if arrow_kind(array.type) == "date":
        codes, distinct = pd.factorize(_days(array))
        texts = [date_of(days) for days in distinct]
    else:
        encoded = array.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy()
        texts = [_text(value) for value in encoded.dictionary.to_pylist()]
    return pd.Series(np.array([*texts, None], object)[codes], dtype="str")


def _text(value: Any) -> str | None:
    """Return a number or boolean as Python writes it; None for NaN."""
    return None if value is None or value != value else str(value)


def _decoded(array: pa.Array) -> pa.Array:
    """Return a column without a dictionary or runs."""
    plain = value_type(array.type)
    return array if plain == array.type else array.cast(plain)


def _numbers(array: pa.Array) -> "pd.Series[Any]":
    if pa.types.is_decimal(array.type):  # from their digits, so that they round as in a CSV
        encoded = array.dictionary_encode()
        distinct = [np.nan if v is None else float(v) for v in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(-1).to_numpy()
        return pd.Series(np.array([*distinct, np.nan], np.float64)[codes])
    if pa.types.is_integer(array.type) and not array.null_count:
        return pd.Series(array.to_numpy())
    return pd.Series(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _days(array: pa.Array) -> npt.NDArray[np.float64]:
    """Return days from 1970-01-01 UTC, as `cells.days_of` does; NaN where a value is missing."""
    if not pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us"), safe=False)
    passed = array.cast(pa.timestamp("us", array.type.tz), safe=False).view(pa.int64())
    microseconds: npt.NDArray[np.int64] = passed.fill_null(0).to_numpy()
    days = microseconds.astype(np.float64) / MICROSECONDS_PER_DAY
    days[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    if ((days < _BEGIN) | (days > _END)).any():
        raise OverflowError
    return days
