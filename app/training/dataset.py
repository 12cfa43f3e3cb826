"""Read the data set of a training, a CSV file, into a data frame."""

import re
import warnings
from collections import Counter
from typing import Any

import pandas as pd

from app import errors
from app.protocol.requests import TrainingSpec
from app.protocol.wording import cut, listed, nearest, nfc, quoted


def read_dataset(path: str, request: TrainingSpec) -> pd.DataFrame:
    """Read the columns that `request` names from a CSV file: [rows, features and target].

    NA, NaN, None, null and the like are missing values, as empty fields are, except in text
    features. The names of the header become Unicode's form NFC, as those of `request` are. Raises
    `errors.BadData` for a missing column and for a file that is not readable CSV.
    """
    try:
        written = [str(column) for column in pd.read_csv(path, nrows=0).columns]
        header = [nfc(name) for name in written]
        _check_header(header, request)
        # Read all columns, because pandas checks the number of fields only then.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(path, index_col=False, low_memory=False)
        frame.columns = frame.columns.map(nfc)
        frame = frame[[*request.features, request.target]]
        if texts := [n for n in request.features if is_text(frame[n]) and frame[n].hasnans]:
            # Read text features again, with NA and the like as texts. Types are known now.
            plain: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""]}
            places = [header.index(name) for name in texts]
            again = pd.read_csv(path, index_col=False, usecols=places, **plain)
            frame[texts] = again[[written[place] for place in places]]
        return frame
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        UnicodeDecodeError,
    ) as error:
        # pandas reports some failed allocations as errors of the file.
        if "out of memory" in str(error) or "on source failed" in str(error):
            raise MemoryError from None
        raise errors.BadData(
            "dataset_id",
            f"data set {request.dataset_id} is not readable as CSV: {_describe_fault(error)}",
        ) from None


def _describe_fault(error: Exception) -> str:
    """Return in plain words the reason why pandas cannot read a file."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return "it is not in UTF-8"
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        return f"line {found[2]} has {found[3]} fields, and the lines above {found[1]}"
    if "Length of header" in text:
        return "its rows have more fields than its header"
    if "inside string" in text:
        return "a quoted field is never closed"
    return "it is empty" if "No columns" in text else "it is not a table"


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


def is_text(column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds any value that is neither a number, a boolean nor missing."""
    numeric = pd.api.types.is_numeric_dtype(column)  # booleans among them
    return not numeric and not pd.api.types.is_bool_dtype(column.dropna().infer_objects())
