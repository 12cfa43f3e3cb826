"""Types and media types that requests and replies share."""

from enum import StrEnum
from typing import Annotated

from pydantic import (
    Discriminator,
    Field,
    JsonValue,
    Tag,
)


class JobStatus(StrEnum):
    """The status of a reply, and but for the first the state of a job."""

    RECEIVED = "TASK_RECEIVED"
    QUEUED = "TASK_QUEUED"
    RUNNING = "TASK_RUNNING"
    COMPLETED = "TASK_COMPLETED"
    ERROR = "TASK_ERROR"
    CANCELLED = "TASK_CANCELLED"


# Letters, digits, dots, underscores, dashes; no dot first, never two in a row: safe in a path.
Id = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*\.?$")]
Column = Annotated[str, Field(min_length=1, max_length=256)]
JSON_MEDIA_TYPE = "application/json"
NDJSON_MEDIA_TYPE = (
    "application/x-ndjson"  # requests, a line each; the reply has a line for each, in order
)
MAX_ROWS = 10_000
LATEST = "latest"  # instead of a model's id: the newest that finished
Row = dict[str, JsonValue]  # which type a value must have, only the model knows
ROW_TAG, ROWS_TAG = "<row>", "<rows>"  # tags that pydantic puts into the location of an error
_ONE_OR_MANY = Discriminator(lambda value: ROWS_TAG if isinstance(value, list) else ROW_TAG)
Rows = Annotated[
    Annotated[Row, Tag(ROW_TAG)]
    | Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS), Tag(ROWS_TAG)],
    _ONE_OR_MANY,
]
MAX_IMAGES = 64
Image = Annotated[str, Field(min_length=1)]  # base64
Images = Annotated[
    Annotated[Image, Tag(ROW_TAG)]
    | Annotated[list[Image], Field(min_length=1, max_length=MAX_IMAGES), Tag(ROWS_TAG)],
    _ONE_OR_MANY,
]
