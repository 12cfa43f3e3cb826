"""Types and media types that requests and replies share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, GetCoreSchemaHandler, JsonValue, Tag
from pydantic_core import CoreSchema, core_schema

from app.protocol.orients import to_rows


class JobStatus(StrEnum):
    """The status of a reply; all but RECEIVED are states of a job, too."""

    RECEIVED = "TASK_RECEIVED"
    QUEUED = "TASK_QUEUED"
    RUNNING = "TASK_RUNNING"
    COMPLETED = "TASK_COMPLETED"
    ERROR = "TASK_ERROR"
    CANCELLED = "TASK_CANCELLED"


class JobKind(StrEnum):
    """The work that a job does. A part is a row that only its batch job shows."""

    TRAIN = "train"
    PREDICT = "predict"
    BATCH = "batch"
    PART = "part"


class ModelKind(StrEnum):
    """The origin of a model, which decides how it is run."""

    TRAINED = "trained"
    ONNX = "onnx"
    ENDPOINT = "endpoint"


# The types of the errors that `Explained` raises.
EXPLAINED, EXPLAINED_OF_SECRET = "explained", "explained_of_secret"


@dataclass(frozen=True)
class Explained:
    """Annotate a type with the `message` to a user who sends another value: what is allowed.

    Use it beside a pattern, because a user never sees a regular expression. `of_secret` is for the
    name of a secret or what goes with it: who sends the secret itself does not get it back.
    """

    message: str
    of_secret: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Give pydantic the schema of the annotated type, with this message for all its errors."""
        schema, kind = handler(source), EXPLAINED_OF_SECRET if self.of_secret else EXPLAINED
        return core_schema.custom_error_schema(schema, kind, custom_error_message=self.message)


MAX_ID = 128  # characters, with the owner in front
# An id is safe in a path: it never begins with a dot and never has two in a row.
ID = r"[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*\.?"
_ID_RULE = Explained(
    "use a string of letters, digits, underscores, dashes and single dots, at most 128 "
    "characters; begin with a letter or digit"
)
Id = Annotated[str, Field(max_length=MAX_ID, pattern=rf"^{ID}$"), _ID_RULE]
MAX_OWNER = 32  # characters; keys, users of the broker and grants name owners alike
OWNER = rf"[a-z0-9][a-z0-9_-]{{0,{MAX_OWNER - 1}}}"
OWNER_RULE = (
    f"use lower-case letters, digits, dashes and underscores, at most {MAX_OWNER} characters; "
    "begin with a letter or digit"
)
OwnerName = Annotated[str, Field(pattern=rf"^{OWNER}$"), Explained(OWNER_RULE)]
Grantee = Annotated[  # who may read
    str,
    Field(pattern=rf"^(?:{OWNER}|\*)$"),
    Explained("use the name of an owner, or * for all"),
]
SEPARATOR = "~"  # between an owner and an id
# An id, or `owner~id`: what another owner calls so, or anything inside of messages and rows.
QualifiedId = Annotated[
    str, Field(max_length=MAX_ID, pattern=rf"^(?:{OWNER}{SEPARATOR})?{ID}$"), _ID_RULE
]
VersionName = Annotated[
    str,
    Field(max_length=128, pattern=r"^[A-Za-z0-9-]+$"),
    Explained("use a version as GET /datasets/{id} lists it: letters, digits and dashes"),
]
Column = Annotated[str, Field(min_length=1, max_length=256)]
JSON_MEDIA_TYPE = "application/json"
# One request a line; the reply has one line for each, in the same order.
NDJSON_MEDIA_TYPE = "application/x-ndjson"
SAGEMAKER_LINES_MEDIA_TYPE = "application/jsonlines"  # SageMaker's name of the same
CSV_MEDIA_TYPE = "text/csv"
GZIP_MEDIA_TYPE = "application/gzip"
ZIP_MEDIA_TYPE = "application/zip"
BINARY_MEDIA_TYPE = "application/octet-stream"
MULTIPART_MEDIA_TYPE = "multipart/form-data"  # a form with files
URLENCODED_MEDIA_TYPE = "application/x-www-form-urlencoded"  # a form without, and curl's -d
PROBLEM_MEDIA_TYPE = "application/problem+json"
PARQUET_MEDIA_TYPE = "application/vnd.apache.parquet"
ARROW_MEDIA_TYPE = "application/vnd.apache.arrow.file"
ARROW_STREAM_MEDIA_TYPE = "application/vnd.apache.arrow.stream"
MAX_ROWS = 10_000
LATEST = "latest"  # the alias of the newest trained model
Row = dict[str, JsonValue]  # only the model knows which type a value must have
Values = list[JsonValue]  # those of a row, in the model's order of the features
# Pydantic puts these tags into an error's location.
ROW_TAG, ROWS_TAG, LISTS_TAG = "<row>", "<rows>", "<lists>"
OBJECT_TAG, LIST_TAG = "<object>", "<list>"  # of what has no limit of rows
_ONE_OR_MANY = Discriminator(lambda value: ROWS_TAG if isinstance(value, list) else ROW_TAG)


def _form(value: object) -> str:
    if not isinstance(value, list):
        return ROW_TAG
    return LISTS_TAG if value and isinstance(value[0], list) else ROWS_TAG


Rows = Annotated[
    Annotated[Row, Tag(ROW_TAG)]
    | Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS), Tag(ROWS_TAG)]
    | Annotated[list[Values], Field(min_length=1, max_length=MAX_ROWS), Tag(LISTS_TAG)],
    Discriminator(_form),
    BeforeValidator(to_rows),
]
MAX_IMAGES = 64
Image = Annotated[str, Field(min_length=1)]  # base64
Images = Annotated[
    Annotated[Image, Tag(ROW_TAG)]
    | Annotated[list[Image], Field(min_length=1, max_length=MAX_IMAGES), Tag(ROWS_TAG)],
    _ONE_OR_MANY,
]
