"""Read the data set of a training, a CSV file, into a data frame."""

import warnings
from typing import Any

import pandas as pd

from app import errors
from app.protocol.requests import TrainingSpec


def read_dataset(path: str, request: TrainingSpec) -> pd.DataFrame:
    """Read the columns that `request` names from a CSV file: [rows, features and target].

    NA, NaN, None, null and the like are missing values, as empty fields are, except in text
    features. Raises `errors.BadData` for a missing column and for a file that is not readable CSV.
    """
    try:
        header = [str(column) for column in pd.read_csv(path, nrows=0).columns]
        for field, wanted in [("features", request.features), ("target", [request.target])]:
            if missing := [column for column in wanted if column not in header]:
                raise errors.BadData(
                    field,
                    f"data set {request.dataset_id} has no column {', '.join(missing)}; "
                    f"it has {', '.join(header)}",
                    columns=header,
                )
        # Read all columns, because pandas checks the number of fields only then.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(path, index_col=False, low_memory=False)
        frame = frame[[*request.features, request.target]]
        if texts := [n for n in request.features if is_text(frame[n]) and frame[n].hasnans]:
            # Read text features again, with NA and the like as texts. Types are known now.
            plain: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""]}
            frame[texts] = pd.read_csv(path, index_col=False, usecols=texts, **plain)[texts]
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
            f"data set {request.dataset_id} is not readable as CSV: {str(error).strip()}",
        ) from None


def is_text(column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds any value that is neither a number, a boolean nor missing."""
    numeric = pd.api.types.is_numeric_dtype(column)  # booleans among them
    return not numeric and not pd.api.types.is_bool_dtype(column.dropna().infer_objects())
