"""Read the data set of a training, a table in a file: its features, its target, and what is odd."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pandas as pd

from app import errors
from app.models.manifest import Feature, FitWarning
from app.protocol.column_types import ColumnType
from app.protocol.training_options import MAX_FEATURES, ExcludedColumns
from app.protocol.training_request import TrainingSpec
from app.protocol.wording import cut, did_you_mean, listed, nearest, nfc, quoted
from app.tables.column_cells import ColumnCells
from app.tables.column_types import MAX_CATEGORIES, TypedColumn, declared_type, infer_type
from app.tables.column_warnings import leading_zero_warnings
from app.tables.dialect import TableFormat
from app.tables.table import open_table
from app.training.data_warnings import (
    column_warnings,
    dropped_row_warnings,
    unused_option_warnings,
)
from app.training.implied_estimator import implied_estimator, implied_warnings
from app.training.row_columns import READ_AS_TEXT, RowColumns, read_row_columns
from app.training.target import Target, no_target, read_classes, read_numbers


@dataclass(frozen=True)
class TrainingData:
    """The features and the target of a data set, of the rows that have a target.

    `frame` holds the features [rows, features] in the order of the request: float64 of numbers,
    dates and booleans, NaN where they are missing, and texts. `of_rows` has their weights, groups
    and times. `dropped` counts the rows without a target. `estimator` is the one that
    the target implies where the request names none, None if that of the request is fitted. `sha256`
    is that of the file, and `seconds` is how long it took to be read.
    """

    frame: pd.DataFrame
    features: list[Feature]
    target: Target
    of_rows: RowColumns
    dropped: int
    warnings: list[FitWarning]
    estimator: str | None = None
    sha256: str = ""
    seconds: float = 0.0

    @property
    def columns(self) -> list[TypedColumn]:
        """Return the features, and the target if there is one."""
        typed = [TypedColumn(f, self.frame[f.name]) for f in self.features]
        return [*typed, self.target.column] if self.target.name else typed


def read_training_data(
    path: str, request: TrainingSpec, table_format: TableFormat | None = None
) -> TrainingData:
    """Read the columns that `request` names from a table; its format is found out if it is None.

    The names of the header become Unicode's form NFC, as those of `request` are. Raises
    `errors.BadData` for a missing column, for a file that is not readable, and for cells that
    are not of the type that their column has to have.
    """
    begin = monotonic()
    free = request.resolved_preprocessing.tfidf  # columns of free text
    types = {**dict.fromkeys(free, ColumnType(type="text")), **(request.types or {})}
    task = request.resolved_estimator.spec.task
    with open_table(path, table_format, request.dataset_id) as table:
        header = [nfc(name) for name in table.names]
        names = feature_names(header, request)
        _check_header(header, names, request)
        places = {name: header.index(name) for name in [*names, *request.reserved.values()]}
        fields = {*READ_AS_TEXT, *(["target"] if task == "classification" else [])}
        as_text = {*types, *(name for field, name in request.reserved.items() if field in fields)}
        cells = table.cells(places, as_text)
        # Read once more, because a time or a group forgets its cells when it is read.
        twice = {name: places[name] for name in names if name in request.reserved.values()}
        learnt_cells = cells | (table.cells(twice, types) if twice else {})
        numbers = [n for n in names if n not in types and learnt_cells[n].kind == "number"]
        aim = request.target
        implied = implied_estimator(request, cells[aim] if aim is not None else None)
        if implied is not None and aim is not None:
            request = request.model_copy(update={"estimator": implied})
            cells |= table.cells({aim: places[aim]}, {aim})  # as texts, whatever they were read as
        if aim is not None and aim not in as_text and cells[aim].kind == "number":
            numbers.append(aim)
        zeros = table.leading_zeros({name: places[name] for name in numbers})
    target = _read_target(request, cells, len(cells[names[0]].gaps()))
    of_rows = read_row_columns(request, cells, target.rows)
    cells.clear()
    # One by one, because a column whose type is known forgets its cells.
    columns = [
        _typed(
            name,
            learnt_cells.pop(name),
            types.get(name),
            MAX_CATEGORIES if name not in free else None,
        )
        for name in names
    ]
    frame = pd.DataFrame({each.feature.name: each.values for each in columns}, copy=False)
    if dropped := len(frame) - len(target.rows):
        frame = frame.take(target.rows)
    features = [each.feature for each in columns]
    found = [
        *implied_warnings(target.name, implied),
        *target.warnings,
        *dropped_row_warnings(target.name, dropped),
        *(warning for each in columns for warning in each.warnings),
        *leading_zero_warnings(zeros),
        *unused_option_warnings(request, features),
        *column_warnings(frame, features, target, free),
    ]
    with Path(path).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    seconds = monotonic() - begin
    return TrainingData(frame, features, target, of_rows, dropped, found, implied, sha256, seconds)


def _read_target(request: TrainingSpec, cells: dict[str, ColumnCells], rows: int) -> Target:
    """Return the target of the `rows`, and take its cells away."""
    task, name = request.resolved_estimator.spec.task, request.target
    if name is None:
        return no_target(rows)
    read = read_classes if task == "classification" else read_numbers
    return read(name, cells.pop(name), (request.types or {}).get(name))


def _typed(
    name: str, cells: ColumnCells, declared: ColumnType | None, most: int | None
) -> TypedColumn:
    return declared_type(name, cells, declared, most) if declared else infer_type(name, cells)


def feature_names(header: list[str], request: TrainingSpec) -> list[str]:
    """Return the columns that are features, in the order of the request or of the file."""
    if isinstance(request.features, list):
        return request.features
    out = set(request.reserved.values())
    if request.features is not None:
        out.update(request.features.exclude)
    return [name for name in header if name not in out]


def _check_header(header: list[str], names: list[str], request: TrainingSpec) -> None:
    """Raise `errors.BadData` unless the header has each column of the request, and once."""
    wanted = {"features": names, **{field: [name] for field, name in request.reserved.items()}}
    if isinstance(request.features, ExcludedColumns):
        wanted["features.exclude"] = request.features.exclude
    if out := [name for name in request.resolved_preprocessing.tfidf if name not in names]:
        raise errors.BadData(
            "preprocessing.tfidf",
            f"{quoted(out[0])} is not a feature{did_you_mean(out[0], names)}",
        )
    if not isinstance(request.features, list):
        wanted["types"] = list(request.types or ())
        _check_count(names, request)
    counts = Counter(header)
    for field, columns in wanted.items():
        if missing := [column for column in columns if column not in counts]:
            found = nearest(missing[0], header)
            meant = f" (did you mean {quoted(found)}?)" if found is not None else ""
            raise errors.BadData(
                field,
                f"data set {request.dataset_id} has no column {listed(missing)}{meant}; "
                f"it has {listed(header)}",
                columns=header,
            )
        if twice := [column for column in columns if counts[column] > 1]:
            raise errors.BadData(
                field,
                f"data set {request.dataset_id} has two columns {cut(twice[0])}, written in two "
                "forms of Unicode; rename one",
            )


def _check_count(names: list[str], request: TrainingSpec) -> None:
    """Raise `errors.BadData` if no column is left to predict from, or too many are."""
    if not names:
        raise errors.BadData(
            "features", f"data set {request.dataset_id} has no column that is left to predict from"
        )
    if len(names) > MAX_FEATURES:
        raise errors.BadData(
            "features",
            f"data set {request.dataset_id} has {len(names):,} columns to predict from, and a "
            f"model takes {MAX_FEATURES:,}; name them, or exclude some",
        )
