"""What travels: requests and replies as JSON bodies, checked once at each door."""

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from app import errors, strictjson
from app.settings import MIN_FIT_MEMORY


class Status(StrEnum):
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
JSON = "application/json"
LINES = "application/x-ndjson"  # requests, a line each; the reply has a line for each, in order
MAX_ROWS = 10_000
MAX_TRAINING_BYTES = 4_000_000  # what a broker takes, with room for what the relay writes out
LATEST = "latest"  # instead of a model's id: the newest that finished
Row = dict[str, JsonValue]  # which type a value must have, only the model knows
_ROW, _ROWS = "<row>", "<rows>"  # tags that pydantic puts into the location of an error
_ONE_OR_MANY = Discriminator(lambda value: _ROWS if isinstance(value, list) else _ROW)
Rows = Annotated[
    Annotated[Row, Tag(_ROW)]
    | Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS), Tag(_ROWS)],
    _ONE_OR_MANY,
]

MAX_IMAGES = 64
Image = Annotated[str, Field(min_length=1)]  # base64
Images = Annotated[
    Annotated[Image, Tag(_ROW)]
    | Annotated[list[Image], Field(min_length=1, max_length=MAX_IMAGES), Tag(_ROWS)],
    _ONE_OR_MANY,
]

# The producer offers these without importing scikit-learn; `estimators.ESTIMATORS` builds them.
Estimator = Literal[
    "random_forest_regressor",
    "random_forest_classifier",
    "hist_gradient_boosting_regressor",
    "hist_gradient_boosting_classifier",
    "linear_regression",
    "ridge",
    "logistic_regression",
    "svm_regressor",
    "svm_classifier",
    "knn_regressor",
    "knn_classifier",
]


class Request(BaseModel):
    """A request's body. Keys that a consumer does not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    def encode(self) -> bytes:
        """Return the JSON body, without what was left at its default of null."""
        return self.model_dump_json(exclude_none=True).encode()


class Training(Request):
    """What to learn from which data, in how many seconds and bytes of memory at most."""

    dataset_id: Id
    features: Annotated[list[Column], Field(min_length=1, max_length=10_000)]
    target: Column
    estimator: Estimator = "random_forest_regressor"
    params: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.2
    max_seconds: Annotated[float, Field(gt=0)] | None = Field(
        None, description="How long the fit may take, at most as long as the consumer allows."
    )
    max_memory: Annotated[int, Field(ge=MIN_FIT_MEMORY)] | None = Field(
        None, description="Bytes it may take, beside what the libraries need; at most as above."
    )

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: list[str]) -> list[str]:
        if twice := [name for name, count in Counter(features).items() if count > 1]:
            raise ValueError(f"given more than once: {', '.join(twice)}")
        return features

    @field_validator("target")
    @classmethod
    def _not_a_feature(cls, target: str, info: ValidationInfo) -> str:
        if target in info.data.get("features", ()):
            raise ValueError(f"{target} is also among the features")
        return target


class TrainRequest(Training):
    """The message of a training: the HTTP body and the id the model will have."""

    model_id: Id | None = None

    def encode(self) -> bytes:
        """Return the JSON body. Raises `errors.TooLarge` for what could not be published again."""
        body = super().encode()
        if len(body) > MAX_TRAINING_BYTES:
            raise errors.TooLarge(
                f"body: a training may have {MAX_TRAINING_BYTES} bytes, and this has {len(body)}",
                field="body",
            )
        return body

    def asks_the_same(self, other: Self) -> bool:
        """Whether both have the same body, the model's id aside."""
        mine, theirs = (each.model_copy(update={"model_id": None}) for each in (self, other))
        return mine.encode() == theirs.encode()

    @field_validator("model_id")
    @classmethod
    def _not_reserved(cls, model_id: str | None) -> str | None:
        if model_id == LATEST:
            raise ValueError(f"{LATEST} always means the newest model")
        return model_id


class Inputs(Request):
    """What is asked of a model: rows, or images as base64 of JPEG or PNG; one of them or a list."""

    image_data: Images | None = None
    input_data: Rows | None = Field(None, validate_default=True)

    @field_validator("input_data")
    @classmethod
    def _one_of_them(cls, rows: Rows | None, info: ValidationInfo) -> Rows | None:
        if "image_data" in info.data and (rows is None) == (info.data["image_data"] is None):
            raise ValueError("give either this or image_data")
        return rows

    @property
    def many(self) -> bool:
        """Whether a list is asked for, and is to be answered by lists."""
        return isinstance(self.input_data, list) or isinstance(self.image_data, list)

    @property
    def rows(self) -> list[Row]:
        """Return the rows asked for, one or many; none where images are."""
        asked = self.input_data
        return asked if isinstance(asked, list) else [] if asked is None else [asked]

    @property
    def images(self) -> list[str]:
        """Return the images asked for, one or many; none where rows are."""
        asked = self.image_data
        return asked if isinstance(asked, list) else [] if asked is None else [asked]


class PredictRequest(Inputs):
    """What is asked of one model.

    The model may be called `latest`: the newest that finished, of `dataset_id` when that is given.
    A request with a `job_id` is logged under it at its start and end, on both sides of the broker.
    """

    model_id: Id
    dataset_id: Id | None = None
    job_id: Id | None = None


RequestT = TypeVar("RequestT", bound=BaseModel)


@dataclass(frozen=True)
class Reply:
    """An answer of the consumer: `{"status", "model_id", ...fields}`."""

    status: Status
    model_id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Return the body as a dict."""
        return {"status": self.status, "model_id": self.model_id, **self.fields}

    def encode(self) -> bytes:
        """Return the body as JSON."""
        return strictjson.dumps(self.to_wire())

    @classmethod
    def error(cls, error: errors.WarrenError, model_id: str | None = None) -> Self:
        """Return the `TASK_ERROR` that tells of `error`."""
        return cls(Status.ERROR, model_id, {"error": error.to_wire()})

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Parse a reply. Raises `errors.Malformed`."""
        wire = strictjson.loads(body)
        if not isinstance(wire, dict) or wire.get("status") not in list(Status):
            raise errors.Malformed("a reply is an object with a status")
        if wire["status"] == Status.ERROR and not isinstance(wire.get("error"), dict):
            raise errors.Malformed("a reply that tells of an error says which")
        return cls(Status(wire.pop("status")), wire.pop("model_id", None), wire)


def doorbell(job_id: str) -> bytes:
    """Return the body of the message of a predict job: what is asked stands in its row."""
    return json.dumps({"job_id": job_id}).encode()


def decode(kind: type[RequestT], body: bytes) -> RequestT:
    """Parse and check a request. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    return check(kind, strictjson.loads(body))


def check(kind: type[RequestT], value: Any) -> RequestT:
    """Check what was parsed. Raises `errors.Invalid`, or `TooLarge` for too many rows."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = field_name(first["loc"]) or "body"
        if first["type"] == "too_long" and first["loc"][-1] == _ROWS:
            limit = first["ctx"]["max_length"]
            raise errors.TooLarge(f"{name}: {first['msg']}", field=name, limit=limit) from None
        said = first["msg"].removeprefix("Value error, ")
        raise errors.Invalid(f"{name}: {said}", field=name) from None


def field_name(location: tuple[int | str, ...]) -> str:
    """Return pydantic's location of an error as the path of a field."""
    return ".".join(str(part) for part in location if part not in (_ROW, _ROWS))
