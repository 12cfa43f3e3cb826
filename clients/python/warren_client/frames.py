"""Write data frames as files that hold every value exactly: Parquet, or CSV without pyarrow."""

import hashlib
import io
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from warren_client.errors import Unsendable
from warren_client.tables import Table
from warren_client.values import plain

PARQUET_MEDIA_TYPE = "application/vnd.apache.parquet"
CSV_MEDIA_TYPE = "text/csv"
_FAMILIES = (
    ("boolean", (bool, np.bool_)),
    ("number", (int, float, Decimal, np.integer, np.floating)),
    ("text", str),
    ("date", (date, np.datetime64)),
)
# Nothing is left to be found out from the first bytes.
_DIALECT = {"delimiter": "comma", "decimal": "point", "encoding": "utf-8", "index": "false"}


def frame_table(frame: pd.DataFrame) -> Table:
    """Return a data frame as a table, without its index. The same frame gives the same bytes.

    Raises `Unsendable` for names or columns that a file cannot hold.
    """
    named = with_text_names(frame)
    types = {str(n): "category" for n in named if _is_numbered_category(named[n])}
    params: dict[str, str] = {}
    if find_spec("pyarrow"):
        content, media_type = _parquet(named), PARQUET_MEDIA_TYPE
    else:
        content, media_type, params = _csv(named), CSV_MEDIA_TYPE, _DIALECT
        types = {**_types_of_csv(named), **types}
    return Table(content, hashlib.sha256(content).hexdigest(), media_type, params, types)


def with_text_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with names that are texts, as files have them. Raises `Unsendable`."""
    if frame.columns.nlevels > 1:
        raise Unsendable("the columns have names of several levels; give each one name")
    names = [str(name) for name in frame.columns.get_level_values(0)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Unsendable(f"two columns have the name {twice!r}; give each its own")
    return frame.set_axis(names, axis=1)


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _array(name, frame[name]) for name in frame}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _array(name: Any, column: "pd.Series[Any]") -> Any:
    """Return a column as pyarrow has it; NaN and None are null."""
    import pyarrow as pa

    if isinstance(column.dtype, pd.SparseDtype):
        column = column.astype(column.dtype.subtype)
    try:
        array = pa.Array.from_pandas(column)
    except UnicodeEncodeError:
        raise _broken_text(name) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as why:
        raise _mixed(name, column) from why
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not _is_read(array.type):
        raise _mixed(name, column)
    return array


def _is_read(kind: Any) -> bool:
    """Tell whether the server reads columns of a type of pyarrow."""
    import pyarrow.types as of

    if of.is_dictionary(kind):
        kind = kind.value_type
    known = (of.is_integer, of.is_floating, of.is_decimal, of.is_boolean, of.is_string)
    more = (of.is_large_string, of.is_string_view, of.is_date, of.is_timestamp, of.is_null)
    return any(is_kind(kind) for is_kind in (*known, *more))


def _csv(frame: pd.DataFrame) -> bytes:
    cells = {name: _cells(name, frame[name]) for name in frame}
    return pd.DataFrame(cells).to_csv(index=False, lineterminator="\n").encode()


def _cells(name: Any, column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the cells of a column as CSV has them, each a text; None where one is missing."""
    _family(name, column)
    cells = [_cell(value) for value in column.astype(object)]
    try:
        "".join(cell for cell in cells if cell is not None).encode()
    except UnicodeEncodeError:
        raise _broken_text(name) from None
    return pd.Series(cells, dtype=object)


def _cell(value: Any) -> str | None:
    found = plain(value)
    return str(found).lower() if isinstance(found, bool) else None if found is None else str(found)


def _family(name: Any, column: "pd.Series[Any]") -> str | None:
    """Return which kind of values a column has; None if all are missing. Raises `Unsendable`."""
    kinds = {type(value) for value in column.dropna().astype(object)}
    families = {
        next((name for name, of in _FAMILIES if issubclass(kind, of)), "") for kind in kinds
    }
    if "" in families or len(families) > 1:
        raise _mixed(name, column)
    return families.pop() if families else None


def _types_of_csv(frame: pd.DataFrame) -> dict[str, str]:
    """Return the types that a CSV does not tell: texts may look like numbers, dates like texts."""
    found = {str(name): _family(name, frame[name]) for name in frame}
    return {name: family for name, family in found.items() if family in ("text", "date")}


def _is_numbered_category(column: "pd.Series[Any]") -> bool:
    """Tell whether a column has categories that are numbers, which a file has as numbers."""
    kind = column.dtype
    return isinstance(kind, pd.CategoricalDtype) and kind.categories.dtype.kind in "iuf"


def _broken_text(name: Any) -> Unsendable:
    return Unsendable(f"column {name!r} has a text with half a character, a lone surrogate")


def _mixed(name: Any, column: "pd.Series[Any]") -> Unsendable:
    kinds = sorted({type(value).__name__ for value in column.dropna().head(10_000)})
    return Unsendable(
        f"column {name!r} of the type {column.dtype} holds {', '.join(kinds) or 'nothing'}; make "
        "all its values numbers, texts, booleans or dates, for example with astype()"
    )
