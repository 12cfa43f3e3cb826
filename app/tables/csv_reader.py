"""Read columns of a CSV file, chunk by chunk, so that its text is never in memory as a whole."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from app.protocol.cells import means_missing
from app.tables.column_cells import ColumnCells
from app.tables.dialect import Dialect
from app.tables.notation import Notation

_CHUNK_CELLS = 500_000  # so few that they fit into the caches of the processor
_MIN_CHUNK_ROWS = 2000
_HEAD_ROWS, _HEAD_COLUMNS, _HEAD_CELLS = 10_000, 1000, 1_000_000
_SHORT = "S16"  # the first bytes of cells, which numpy holds without an object for each
# Texts that the parser takes for missing among numbers. `means_missing` finds the rarer ones later.
_MISSING = ["", "NA", "na", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "Null"]
_MISSING += ["null", "None", "none", "NONE", "?", "-", "--", ".", "unknown", "Unknown"]
_PLAIN: dict[str, Any] = {"keep_default_na": False, "low_memory": False}


class CsvTable:
    """A CSV file; `names` are those of its columns, without an index.

    Methods raise the errors of pandas; see `open_table`.
    """

    def __init__(self, path: str, dialect: Dialect) -> None:
        """Read the header."""
        self._path = path
        self._notation = None if dialect.plain_numbers else Notation(dialect)
        # If rows have one field more than the header, pandas takes their first field for the index.
        self._extra = dialect.index == "extra"
        self._first = dialect.index == "first"
        self._options: dict[str, Any] = {
            **_PLAIN,
            "sep": dialect.delimiter,
            "decimal": dialect.decimal,
            "encoding": dialect.encoding,
            "compression": dialect.compression,
            "skiprows": dialect.skipped_lines,
            "index_col": None if self._extra else False,
        }
        header = pd.read_csv(path, nrows=0, **self._options).columns
        self._written = [str(column) for column in header]
        self.names = self._written[1:] if self._first else self._written

    def check(self, _: Iterable[int], __: str) -> None:
        """Do nothing: every column of a CSV holds cells."""

    def cells(self, places: Mapping[str, int], as_text: Collection[str]) -> dict[str, ColumnCells]:
        """Return the cells of the columns at these places of `names`; those in `as_text` as texts.

        Columns of text that begin like numbers, or whose missing values may be texts, are read
        twice.
        """
        cells = {name: ColumnCells(as_text=name in as_text) for name in places}
        self._read(places, cells)
        again = {
            name: ColumnCells(as_text=True) for name, each in cells.items() if each.must_be_reread
        }
        if again:
            cells |= again
            self._read({name: places[name] for name in again}, again)
        self._count_missing(places, cells)
        return cells

    def chunks(
        self, places: Mapping[str, int], as_text: Collection[str], rows: int | None = None
    ) -> Iterator[pd.DataFrame]:
        """Yield all rows of the columns at these places, at most `rows` at a time.

        Columns in `as_text` hold texts in plain notation, NaN for empty cells. The others hold
        what pandas infers of the chunk: numbers, booleans, or texts if there is any other cell.
        """
        dtypes = {self._column(place): str for name, place in places.items() if name in as_text}
        missing: Any = _MISSING
        if dtypes:
            missing = {name: [""] if name in dtypes else _MISSING for name in self._written}
        for chunk in self._chunks(rows, dtype=dtypes, na_values=missing):
            columns = {name: chunk[self._column(place)] for name, place in places.items()}
            if notation := self._notation:
                columns = {
                    name: notation.plain(each) if each.dtype == "str" else each
                    for name, each in columns.items()
                }
            yield pd.DataFrame(columns, copy=False)

    def leading_zeros(self, places: Mapping[str, int]) -> dict[str, str]:
        """Return a cell with a leading zero, such as "01234", of each column that has one.

        Only the first 10,000 rows of 100 columns are looked at, or 1,000 rows of 1,000 columns.
        """
        places = dict(islice(places.items(), _HEAD_COLUMNS))
        if not places:
            return {}
        rows = min(_HEAD_ROWS, _HEAD_CELLS // len(places))
        head = pd.read_csv(self._path, nrows=rows, **self._options, **self._short(places.values()))
        found = {}
        for name, place in places.items():
            cells = head[self._column(place)].to_numpy()
            first, second = cells.view(np.uint8).reshape(len(cells), -1).T[:2]
            zeros = cells[(first == ord("0")) & (second >= ord("0")) & (second <= ord("9"))]
            if len(zeros):
                found[name] = zeros[0].decode()
        return found

    def _read(self, places: Mapping[str, int], into: dict[str, ColumnCells]) -> None:
        as_text = {name for name in places if into[name].as_text}
        for chunk in self.chunks(places, as_text):
            for name in places:
                into[name].add(chunk[name])

    def _count_missing(self, places: Mapping[str, int], cells: dict[str, ColumnCells]) -> None:
        """Count the texts of missing values in columns of numbers and booleans."""
        gaps = {
            name: each.gaps()
            for name, each in cells.items()
            if each.has_gaps and each.kind in ("number", "boolean")
        }
        if not gaps:
            return
        row = 0
        for chunk in self._chunks(None, **self._short([places[name] for name in gaps])):
            for name, gap in gaps.items():
                column = chunk[self._column(places[name])]
                texts = column.to_numpy()[gap[row : row + len(chunk)]]
                for text in texts[texts != b""]:
                    if means_missing(cell := text.decode(errors="replace")):
                        cells[name].missing[cell] += 1
            row += len(chunk)

    def _column(self, place: int) -> str:
        """Return the written name of the column at a place of `names`."""
        return self._written[place + self._first]

    def _short(self, places: Iterable[int]) -> dict[str, Any]:
        """Return the options with which only the first bytes of these columns are read."""
        dtypes = {self._column(place): _SHORT for place in places}
        # With `usecols` pandas takes no names of rows.
        return {"dtype": dtypes} if self._extra else {"dtype": dtypes, "usecols": list(dtypes)}

    def _chunks(self, rows: int | None, **options: Any) -> Iterator[pd.DataFrame]:
        """Yield chunks of all columns, because pandas checks the number of fields only then."""
        rows = rows or max(_MIN_CHUNK_ROWS, _CHUNK_CELLS // len(self._written))
        with pd.read_csv(self._path, chunksize=rows, **self._options, **options) as chunks:
            for chunk in chunks:
                yield chunk.reset_index(drop=True) if self._extra else chunk
