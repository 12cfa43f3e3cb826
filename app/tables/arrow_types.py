"""Tell which columns of Parquet and Arrow files can be read, and as which kind."""

from typing import Literal

import pyarrow as pa

ArrowKind = Literal["number", "boolean", "text", "date", "empty"]


def arrow_kind(of: pa.DataType) -> ArrowKind | None:
    """Return the kind that a column is read as; None if it cannot be read, such as lists."""
    kind = pa.types
    if kind.is_dictionary(of) or kind.is_run_end_encoded(of):
        return arrow_kind(of.value_type)
    if kind.is_integer(of) or kind.is_floating(of) or kind.is_decimal(of):
        return "number"
    if kind.is_boolean(of):
        return "boolean"
    if kind.is_string(of) or kind.is_large_string(of) or kind.is_string_view(of):
        return "text"
    if kind.is_date(of) or kind.is_timestamp(of):
        return "date"
    return "empty" if kind.is_null(of) else None


def value_type(of: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column that may be encoded by a dictionary or in runs."""
    encoded = pa.types.is_dictionary(of) or pa.types.is_run_end_encoded(of)
    return value_type(of.value_type) if encoded else of
