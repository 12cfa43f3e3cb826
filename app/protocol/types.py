"""Types and media types that requests and replies share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Discriminator, Field, GetCoreSchemaHandler, JsonValue, Tag
from pydantic_core import CoreSchema, core_schema


class JobStatus(StrEnum):
    """The status of a reply; all but RECEIVED are states of a job, too."""

    RECEIVED = "TASK_RECEIVED"
    QUEUED = "TASK_QUEUED"
    RUNNING = "TASK_RUNNING"
    COMPLETED = "TASK_COMPLETED"
    ERROR = "TASK_ERROR"
    CANCELLED = "TASK_CANCELLED"


class JobKind(StrEnum):
    """The work that a job does."""

    TRAIN = "train"
    PREDICT = "predict"


class ModelKind(StrEnum):
    """The origin of a model, which decides how it is run."""

    TRAINED = "trained"
    ONNX = "onnx"
    ENDPOINT = "endpoint"


EXPLAINED = "explained"  # the type of the errors that `Explained` raises


@dataclass(frozen=True)
class Explained:
    """Annotate a type with the `message` to a user who sends another value: what is allowed.

    Use it beside a pattern, because a user never sees a regular expression.
    """

    message: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Give pydantic the schema of the annotated type, with this message for all its errors."""
        schema = handler(source)
        return core_schema.custom_error_schema(schema, EXPLAINED, custom_error_message=self.message)


# An id is safe in a path: it never begins with a dot and never has two in a row.
Id = Annotated[
    str,
    Field(max_length=128, pattern=r"^[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*\.?$"),
    Explained(
        "use a string of letters, digits, underscores, dashes and single dots, at most 128 "
        "characters; begin with a letter or digit"
    ),
]
Column = Annotated[str, Field(min_length=1, max_length=256)]
JSON_MEDIA_TYPE = "application/json"
# One request a line; the reply has one line for each, in the same order.
NDJSON_MEDIA_TYPE = "application/x-ndjson"
SAGEMAKER_LINES_MEDIA_TYPE = "application/jsonlines"  # SageMaker's name of the same
CSV_MEDIA_TYPE = "text/csv"
MAX_ROWS = 10_000
LATEST = "latest"  # the alias of the newest trained model
Row = dict[str, JsonValue]  # only the model knows which type a value must have
ROW_TAG, ROWS_TAG = "<row>", "<rows>"  # pydantic puts these tags into an error's location
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
