"""The description of a version of a data set: profiles of its columns, first rows, warnings."""

from pydantic import BaseModel, ConfigDict, Field

from app.models.column_profile import ColumnProfile, Value
from app.models.manifest import FitWarning
from app.tables.dialect import TableFormat

FORMAT = 2  # of the stored descriptions; those of another format are computed again


class Description(BaseModel):
    """What reading all of a file finds."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(description="The rows below the header.")
    format: TableFormat = Field(description="How the file is read.")
    columns: list[ColumnProfile] = Field(
        description="What each column holds, with the type that a training infers."
    )
    more_columns: int = Field(0, description="How many further columns are not described.")
    head: list[dict[str, Value | None]] = Field(
        description="The first rows; a text has at most 100 characters."
    )
    warnings: list[FitWarning] = Field(
        description="What a training would warn of, or refuse, whatever its target is."
    )
