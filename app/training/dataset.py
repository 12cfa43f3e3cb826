"""A data set: the CSV file of a training, as a data frame."""

import warnings
from typing import Any

import pandas as pd

from app import errors
from app.protocol.requests import TrainingSpec


def read_dataset(path: str, request: TrainingSpec) -> pd.DataFrame:
    """Read the columns that `request` names from a CSV file. Raises `errors.BadData`.

    Among numbers and booleans, and in the target, NA, NaN, None, null and the like are missing
    values as the empty field is; in a feature of text they are texts.
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
        # All columns are read: pandas checks the number of fields only where it takes every one.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(path, index_col=False, low_memory=False)
        frame = frame[[*request.features, request.target]]
        if texts := [n for n in request.features if is_text(frame[n]) and frame[n].hasnans]:
            # Only now is it known which are text. What of them is not empty is no missing value.
            plain: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""]}
            frame[texts] = pd.read_csv(path, index_col=False, usecols=texts, **plain)[texts]
        return frame
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        UnicodeDecodeError,
    ) as error:
        # What pandas calls an error of the file when it is its memory that has an end.
        if "out of memory" in str(error) or "on source failed" in str(error):
            raise MemoryError from None
        raise errors.BadData(
            "dataset_id", f"data set {request.dataset_id} is no readable CSV: {str(error).strip()}"
        ) from None


def is_text(column: "pd.Series[Any]") -> bool:
    """Tell whether a column holds anything but numbers or booleans, missing ones aside."""
    numeric = pd.api.types.is_numeric_dtype(column)  # booleans among them
    return not numeric and not pd.api.types.is_bool_dtype(column.dropna().infer_objects())
