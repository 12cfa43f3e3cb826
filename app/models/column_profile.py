"""The profile of a column of a data set: counts, range and most frequent values."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.protocol.column_types import ColumnKind

Value = float | bool | str  # of a cell as JSON has it; a date in ISO 8601


class ValueCount(BaseModel):
    """A value and the number of its cells."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    value: Value = Field(description="The value; a text has at most 100 characters.")
    count: int = Field(description="The number of cells that hold it.")


class ColumnProfile(BaseModel):
    """A column: its type, missing and distinct values, its range, and its most frequent values."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str = Field(description="The name of the column.")
    type: ColumnKind | Literal["empty"] = Field(description="The type, inferred or declared.")
    missing: int = Field(description="Cells without a value.")
    distinct: int = Field(description="Different values, without the missing one.")
    min: Value | None = Field(
        None, description="The smallest number or the first date; null for texts and booleans."
    )
    max: Value | None = Field(None, description="The largest number or the last date.")
    mean: float | None = Field(None, description="The mean of a column of numbers.")
    std: float | None = Field(
        None, description="The standard deviation of numbers, with n - 1; null for one row."
    )
    median: Value | None = Field(
        None, description="The median of numbers; of dates the lower one of the two in the middle."
    )
    histogram: list[int] = Field(
        [],
        description="How many values lie in each of 20 equal ranges from the smallest to the "
        "largest number or date; empty for others, and if all values are the same.",
    )
    most_frequent: list[ValueCount] = Field(
        [],
        description="At most five values that occur more than once, the most frequent first; "
        "among equals the smallest.",
    )
