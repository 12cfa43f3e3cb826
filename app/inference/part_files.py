"""The files of a batch job's parts: their inputs, and the results that become one file.

An input is an Arrow file with the columns that a `TableLayout` names. A result is a CSV without a
header, or a Parquet file. Only child processes import this module.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from app.inference.runtime import Answers
from app.inference.table_layout import TableLayout, chosen_name
from app.protocol.label_keys import Label, label_key

PART_ROWS = 50_000
_PART_CELLS = 2_000_000
_MIN_PART_ROWS = 1000
_CRLF = "\r\n"


def part_rows(columns: int) -> int:
    """Return how many rows a part of so many columns has."""
    return max(_MIN_PART_ROWS, min(PART_ROWS, _PART_CELLS // max(1, columns)))


def write_part(frame: pd.DataFrame, path: Path) -> None:
    """Write the rows of a part as an Arrow file."""
    arrays = [_array(frame[name]) for name in frame.columns]
    table = pa.Table.from_arrays(arrays, names=[str(name) for name in frame.columns])
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def read_part(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of a part, `rows` at a time."""
    with pa.memory_map(str(path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        for begin in range(0, table.num_rows, rows):
            yield table.slice(begin, rows).to_pandas()


class ResultWriter:
    """Writes the result of a part, some rows at a time, always in the same bytes."""

    def __init__(self, path: Path, layout: TableLayout) -> None:
        """Open the file."""
        self._layout = layout
        self._names = [*layout.chosen, *layout.answer_columns]
        self._labels = _label_column(layout.labels)
        self._text: io.TextIOWrapper | None = None
        self._parquet: pq.ParquetWriter | None = None
        if layout.format == "csv":
            self._text = path.open("w", encoding="utf-8", newline="")
        else:
            self._parquet = pq.ParquetWriter(path, self._schema())

    def write(self, frame: pd.DataFrame, answers: Answers) -> None:
        """Write rows of a part with their answers, which may be missing; see `Answers`."""
        chosen = [frame[chosen_name(n)] for n in range(len(self._layout.chosen))]
        columns = [*chosen, *self._answered(answers)]
        if self._text:
            cells = [_csv_cells(each) for each in columns]
            _csv_writer(self._text).writerows(zip(*cells, strict=True))
        elif self._parquet:
            arrays = [
                pa.array(each, field.type, from_pandas=True)
                for each, field in zip(columns, self._parquet.schema, strict=True)
            ]
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=self._parquet.schema))

    def close(self) -> None:
        """Finish the file."""
        for each in (self._text, self._parquet):
            if each:
                each.close()

    def _answered(self, answers: Answers) -> list[Any]:
        """Return the columns of the answers: NaN or None in a row without one."""
        predicted = np.asarray(answers.predicted)
        if self._labels is None:
            columns: list[Any] = [np.where(np.isfinite(predicted), predicted, np.nan)]
        else:
            columns = [self._labels[predicted]]  # NO_PLACE is the last one
        if self._layout.probabilities and answers.probabilities is not None:
            columns += list(answers.probabilities.T)
        return columns

    def _schema(self) -> pa.Schema:
        answers = [pa.float64()] * len(self._layout.answer_columns)
        if self._layout.labels is not None:
            answers[0] = _label_type(self._layout.labels)
        types = [pa.string()] * len(self._layout.chosen) + answers
        return pa.schema(list(zip(self._names, types, strict=True)))


class _Lines:
    """Writes lines that end in CR LF with LF.

    Python quotes a field only if it holds a character of the line end of its writer, and readers of
    CSV take a CR without quotes as the end of a row, too.
    """

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix(_CRLF) + "\n")


def _csv_writer(file: io.TextIOBase) -> Any:
    return csv.writer(_Lines(file), lineterminator=_CRLF)


def header_line(layout: TableLayout) -> bytes:
    """Return the first line of a CSV."""
    line = io.StringIO()
    names = [*layout.chosen, *layout.answer_columns]
    _csv_writer(line).writerow(names)
    return line.getvalue().encode()


def _array(cells: "pd.Series[Any]") -> pa.Array:
    """Return a column as Arrow; one of values of different types as texts."""
    try:
        return pa.array(cells, from_pandas=True)
    except pa.ArrowException:
        return pa.array(
            cells.astype(object).map(str, na_action="ignore"), pa.string(), from_pandas=True
        )


def _label_type(labels: list[Label]) -> pa.DataType:
    """Return the type of the labels; labels of different types are texts."""
    match {type(label) for label in labels}:
        case kinds if kinds == {bool}:
            return pa.bool_()
        case kinds if kinds == {int} and all(-(2**63) <= int(each) < 2**63 for each in labels):
            return pa.int64()
    return pa.string()


def _label_column(labels: list[Label] | None) -> Any:
    """Return the labels by their places, and None behind them."""
    if labels is None:
        return None
    texts = _label_type(labels) == pa.string()
    values = [label_key(label) if texts else label for label in labels]
    column = np.empty(len(values) + 1, object)
    column[:-1] = values
    return column


def _csv_cells(column: Any) -> list[Any]:
    """Return a column as the cells of a CSV: None where a value is missing."""
    values = column.tolist()
    return [
        None if value is None or value != value
        else ("true" if value else "false") if value is True or value is False
        else value
        for value in values
    ]  # fmt: skip
