"""Bodies of HTTP responses that describe data sets."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.datasets.description import Description


class DatasetView(BaseModel):
    """A data set in short.

    `columns` is the number of columns. If another S3 client stored the data set, `version` is null
    until somebody uses it, and `rows` and `columns` are null until somebody asks for its
    description.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    size: int = Field(description="Bytes of the file.")
    modified: datetime
    version: str | None
    rows: int | None
    columns: int | None


class Datasets(BaseModel):
    """A page of data sets; `next` is the cursor of the page that follows, null on the last one."""

    datasets: list[DatasetView]
    next: str | None


class DatasetVersionView(BaseModel):
    """A content that a data set has or had."""

    model_config = ConfigDict(from_attributes=True)

    version: str
    size: int = Field(description="Bytes of the file.")
    rows: int | None
    created_at: datetime


class DatasetDetail(Description):
    """A version of a data set, and the versions that there are."""

    id: str
    version: str = Field(description="The name of this content: the sha256 of the file.")
    size: int = Field(description="Bytes of the file.")
    created_at: datetime = Field(description="When this content was first seen.")
    versions: list[DatasetVersionView] = Field(
        description="At most 100 versions, the newest first. Those that no job or model names go "
        "some time after they were replaced."
    )
