"""Read the data set of a training, a CSV file: its features, its target, and what is odd."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from app import errors
from app.models.manifest import Feature, FitWarning
from app.protocol.training_fields import ColumnType
from app.protocol.training_request import TrainingSpec
from app.protocol.wording import cut, listed, nearest, nfc, quoted
from app.training.column_cells import ColumnCells
from app.training.column_types import TypedColumn, declared_type, infer_type
from app.training.csv_reader import leading_zeros, read_cells, read_header, readable
from app.training.data_warnings import column_warnings, dropped_row_warnings, leading_zero_warnings
from app.training.target import Target, read_classes, read_numbers


@dataclass(frozen=True)
class TrainingData:
    """The features and the target of a data set, of the rows that have a target.

    `frame` holds the features [rows, features] in the order of the request: float64 of numbers,
    dates and booleans, NaN where they are missing, and texts. `dropped` counts the rows without a
    target.
    """

    frame: pd.DataFrame
    features: list[Feature]
    target: Target
    dropped: int
    warnings: list[FitWarning]


def read_training_data(path: str, request: TrainingSpec) -> TrainingData:
    """Read the columns that `request` names from a CSV file.

    The names of the header become Unicode's form NFC, as those of `request` are. Raises
    `errors.BadData` for a missing column, for a file that is not readable CSV, and for cells that
    are not of the type that their column has to have.
    """
    types = request.types or {}
    classifies = request.resolved_estimator.spec.task == "classification"
    with readable(request.dataset_id):
        written = read_header(path)
        header = [nfc(name) for name in written]
        _check_header(header, request)
        places = {name: header.index(name) for name in [*request.features, request.target]}
        as_text = {*types, *([request.target] if classifies else [])}
        cells = read_cells(path, written, places, as_text)
        numbers = [n for n in places if n not in as_text and cells[n].kind == "number"]
        zeros = leading_zeros(path, written, {name: places[name] for name in numbers})
    read_target = read_classes if classifies else read_numbers
    target = read_target(request.target, cells.pop(request.target), types.get(request.target))
    # One by one, because a column whose type is known forgets its cells.
    columns = [_typed(name, cells.pop(name), types.get(name)) for name in request.features]
    frame = pd.DataFrame({each.feature.name: each.values for each in columns}, copy=False)
    if dropped := len(frame) - len(target.rows):
        frame = frame.take(target.rows)
    features = [each.feature for each in columns]
    found = [
        *target.warnings,
        *dropped_row_warnings(request.target, dropped),
        *(warning for each in columns for warning in each.warnings),
        *leading_zero_warnings(zeros),
        *column_warnings(frame, features, target),
    ]
    return TrainingData(frame, features, target, dropped, found)


def _typed(name: str, cells: ColumnCells, declared: ColumnType | None) -> TypedColumn:
    return declared_type(name, cells, declared) if declared else infer_type(name, cells)


def _check_header(header: list[str], request: TrainingSpec) -> None:
    """Raise `errors.BadData` unless the header has each column of the request, and once."""
    counts = Counter(header)
    for field, wanted in [("features", request.features), ("target", [request.target])]:
        if missing := [column for column in wanted if column not in counts]:
            found = nearest(missing[0], header)
            meant = f" (did you mean {quoted(found)}?)" if found is not None else ""
            raise errors.BadData(
                field,
                f"data set {request.dataset_id} has no column {listed(missing)}{meant}; "
                f"it has {listed(header)}",
                columns=header,
            )
        if twice := [column for column in wanted if counts[column] > 1]:
            raise errors.BadData(
                field,
                f"data set {request.dataset_id} has two columns {cut(twice[0])}, written in two "
                "forms of Unicode; rename one",
            )
