"""Open a table, a CSV, Parquet or Arrow file, to read its columns."""

import re
import warnings
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import pandas as pd
import pyarrow as pa

from app import errors
from app.tables.arrow_reader import ArrowTable
from app.tables.column_cells import ColumnCells
from app.tables.csv_reader import CsvTable
from app.tables.dialect import TableFormat
from app.tables.sniff import sniff_file

_NAMES = {"csv": "CSV", "parquet": "Parquet", "arrow": "Arrow"}


class Table(Protocol):
    """A table in a file: the names of its columns, and their cells."""

    names: list[str]

    def cells(self, places: Mapping[str, int], as_text: Collection[str]) -> dict[str, ColumnCells]:
        """Return the cells of the columns at these places of `names`; those in `as_text` as texts.

        `places` has them by the names of the result.
        """

    def check(self, places: Iterable[int], field: str, /) -> None:
        """Raise `errors.BadData`, which names the field, for a column that holds no cells."""

    def chunks(
        self, places: Mapping[str, int], as_text: Collection[str], rows: int | None = None
    ) -> Iterator[pd.DataFrame]:
        """Yield all rows of these columns, at most `rows` at a time.

        Columns in `as_text` hold texts, NaN for missing ones; the others what the file holds, or
        what pandas infers of a chunk of CSV.
        """

    def leading_zeros(self, places: Mapping[str, int], /) -> dict[str, str]:
        """Return a cell with a leading zero of each of the columns that has one."""


@contextmanager
def open_table(path: str, table_format: TableFormat | None, dataset_id: str) -> Iterator[Table]:
    """Open the file at `path`; if its format is not known, find it out from its first bytes.

    Raises `errors.BadData` in plain words about the data set, also while the table is read.
    """
    table_format = table_format or sniff_file(path)
    kind = table_format.kind
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            if kind == "csv":
                yield CsvTable(path, table_format.csv_dialect)
            else:
                yield ArrowTable(path, kind)
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        pa.ArrowException,
        UnicodeDecodeError,
        EOFError,
        zlib.error,
        OSError,
    ) as error:
        failed = isinstance(error, OSError) and error.errno is not None  # the system failed
        if failed or isinstance(error, MemoryError):  # pyarrow's is one of its own errors, too
            raise
        # pandas reports some failed allocations as errors of the file.
        if "out of memory" in str(error) or "on source failed" in str(error):
            raise MemoryError from None
        raise errors.BadData(
            "dataset_id",
            f"data set {dataset_id} is not readable as {_NAMES[kind]}: {_describe_fault(error)}",
        ) from None


def _describe_fault(error: Exception) -> str:
    """Return in plain words the reason why pandas or pyarrow cannot read a file."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"it is not in {error.encoding.upper()}"
    if isinstance(error, pa.ArrowException | OSError | EOFError | zlib.error):
        return f"it is damaged ({text.partition(chr(10))[0][:200]})"
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        return f"line {found[2]} has {found[3]} fields, and the lines above {found[1]}"
    if "Length of header" in text:
        return "its rows have more fields than its header"
    if "inside string" in text:
        return "a quoted field is never closed"
    return "it is empty" if "No columns" in text else "it is not a table"
