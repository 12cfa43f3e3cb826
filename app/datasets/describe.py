"""Describe a table: the profiles of its columns, its first rows, the warnings of a training."""

import hashlib
import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from app import errors
from app.datasets.description import Description
from app.models.column_profile import ColumnProfile, Value
from app.models.manifest import FitWarning
from app.protocol.wording import cut, nfc
from app.tables.column_cells import ColumnCells
from app.tables.column_types import infer_type
from app.tables.column_warnings import (
    leading_zero_warnings,
    limit_warnings,
    sampled_rows,
    single_column_warnings,
)
from app.tables.dialect import TableFormat
from app.tables.profile import profile_column
from app.tables.sniff import sniff_file
from app.tables.table import Table, open_table

MAX_COLUMNS = 1000  # in a description
HEAD_ROWS = 5
_TEXT = 100  # characters of a cell
_CELLS = 4_000_000  # in memory at a time


def describe(
    path: str, table_format: TableFormat | None, dataset_id: str, cells: int = _CELLS
) -> Description:
    """Describe a file, of which about `cells` cells are in memory at a time.

    Raises `errors.BadData` if the file cannot be read.
    """
    found = table_format or sniff_file(path)
    with open_table(path, found, dataset_id) as table:
        names = dict.fromkeys(nfc(name) for name in table.names)
        header = [nfc(name) for name in table.names]
        places = {name: header.index(name) for name in list(names)[:MAX_COLUMNS]}
        columns = _Columns(table)
        for group in _groups(places, columns, cells):
            columns.read(group)
        return Description(
            rows=columns.rows,
            format=found,
            columns=columns.profiles,
            more_columns=len(names) - len(places),
            head=_head(table, {name: places[name] for name in columns.readable}, columns.profiles),
            warnings=limit_warnings(columns.warnings),
        )


class _Columns:
    """The profiles and warnings of the columns that were read."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self.profiles: list[ColumnProfile] = []
        self.readable: list[str] = []
        self.warnings: list[FitWarning] = []
        self._table = table
        self._same: dict[str, str] = {}  # the first column by the hash of its values

    def read(self, places: Mapping[str, int]) -> None:
        """Read columns; add a warning for each that no training can read."""
        try:
            cells = self._table.cells(places, ())
        except errors.BadData as error:
            if len(places) > 1:
                for name, place in places.items():
                    self.read({name: place})
                return
            (name,) = places
            self._warn_unusable(name, error)
            self.profiles.append(ColumnProfile(name=name, type="empty", missing=0, distinct=0))
            return
        numbers = {name: places[name] for name, each in cells.items() if each.kind == "number"}
        self.warnings += leading_zero_warnings(self._table.leading_zeros(numbers))
        for name in places:
            self._add(name, cells.pop(name))
            self.readable.append(name)

    def _add(self, name: str, cells: ColumnCells) -> None:
        """Add a column. One that no training can use is described, too."""
        kind, gaps = cells.kind, cells.gaps()
        self.rows = len(gaps)
        if kind == "empty":
            self._warn_unusable(name, errors.BadData("features", f"column {name} is empty"))
            self.profiles.append(profile_column(name, kind, np.full(self.rows, np.nan)))
            return
        try:
            column = infer_type(name, cells)
        except errors.BadData as error:
            self._warn_unusable(name, error)
            self.profiles.append(
                ColumnProfile(name=name, type=kind, missing=int(gaps.sum()), distinct=0)
            )
            return
        self.profiles.append(profile_column(name, column.feature.type, column.values))
        self.warnings += column.warnings
        values = pd.Series(column.values)
        sample = values.iloc[sampled_rows(self.rows)]
        self.warnings += single_column_warnings(values, sample, column.feature)
        hashes = pd.util.hash_pandas_object(values, index=False).to_numpy()
        first = self._same.setdefault(hashlib.sha256(hashes.tobytes()).hexdigest(), name)
        if first != name:
            said = f"column {name} holds the same values as column {first}"
            self.warnings.append(FitWarning(type="duplicate_column", detail=said, field=name))

    def _warn_unusable(self, name: str, error: errors.BadData) -> None:
        self.warnings.append(FitWarning(type="unusable_column", detail=error.message, field=name))


def _groups(places: Mapping[str, int], columns: _Columns, cells: int) -> Iterator[dict[str, int]]:
    """Yield the columns to read together; the first group is one column, which shows the rows."""
    left = list(places.items())
    while left:
        count = max(1, cells // columns.rows) if columns.rows else 1
        group, left = left[:count], left[count:]
        yield dict(group)


def _head(
    table: Table, places: Mapping[str, int], profiles: list[ColumnProfile]
) -> list[dict[str, Value | None]]:
    """Return the first rows: numbers of columns of numbers, else texts."""
    if not places:
        return []
    kinds = {each.name: each.type for each in profiles}
    chunks = table.chunks(places, list(places), HEAD_ROWS)
    rows = next(iter(chunks), pd.DataFrame()).head(HEAD_ROWS)
    return [
        {str(name): _shown(value, kinds[str(name)]) for name, value in row.items()}
        for _, row in rows.iterrows()
    ]


def _shown(value: object, kind: str) -> Value | None:
    if not isinstance(value, str):
        return None
    try:
        number = float(value) if kind == "number" else math.nan
    except ValueError:
        number = math.nan
    return number if math.isfinite(number) else cut(value, _TEXT)
