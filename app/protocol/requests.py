"""Requests as JSON bodies of messages; the producer and the consumers both validate them."""

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from app import errors
from app.protocol.estimators import EstimatorName
from app.protocol.examples import DATASET_ID, GREY_IMAGE, ROW, SHORT_ROW
from app.protocol.types import LATEST, Column, Id, Images, Row, Rows
from app.protocol.wording import cut, listed, nfc, repeated
from app.settings import MIN_FIT_MEMORY

_Column = Annotated[Column, AfterValidator(nfc)]  # data sets are read in the same form
Extra = Literal["ignore"]  # how to treat fields of a row that the model does not know
ExtraFields = Annotated[
    Extra | None,
    Field(
        description="With `ignore`, a row may have fields that the model does not know.",
        examples=["ignore"],
    ),
]
AskedModel = Annotated[
    Id,
    Field(description=f"A model, or `{LATEST}`: the newest trained one.", examples=[LATEST]),
]
DatasetOfLatest = Annotated[
    Id | None,
    Field(
        description=f"With the model `{LATEST}`: the newest one that was trained on this data set.",
        examples=[DATASET_ID],
    ),
]
LoggedId = Annotated[
    Id | None,
    Field(
        description="An id of the client's for this request. Producer and consumer log it.",
        examples=["call-17"],
    ),
]

MAX_TRAINING_BYTES = 4_000_000  # the broker's limit, less room for the relay's encoding


class RequestBody(BaseModel):
    """The body of a request. Consumers ignore unknown keys of newer producers.

    `EXAMPLE` is a small body, which errors show.
    """

    EXAMPLE: ClassVar[str]
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    def encode(self) -> bytes:
        """Return the JSON body, without the members that are null."""
        return self.model_dump_json(exclude_none=True).encode()


class TrainingSpec(RequestBody):
    """A model to train on a data set, with limits on time in seconds and memory in bytes."""

    EXAMPLE = '{"dataset_id": "diabetes", "features": ["age", "bmi"], "target": "target"}'

    dataset_id: Id
    features: Annotated[list[_Column], Field(min_length=1, max_length=10_000)]
    target: _Column
    estimator: EstimatorName = "random_forest_regressor"
    params: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.2
    max_seconds: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Seconds that the fit may take, at most as many as the consumer allows."
    )
    max_memory: Annotated[int, Field(ge=MIN_FIT_MEMORY)] | None = Field(
        None,
        description="Bytes of memory that the fit may take on top of the libraries, at most as "
        "many as the consumer allows.",
    )

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: list[str]) -> list[str]:
        if twice := repeated(features):
            forms = "" if all(map(str.isascii, twice)) else ", perhaps in two forms of Unicode"
            raise ValueError(f"given more than once: {listed(twice)}{forms}")
        return features

    @field_validator("target")
    @classmethod
    def _not_a_feature(cls, target: str, info: ValidationInfo) -> str:
        if target in info.data.get("features", ()):
            raise ValueError(f"{cut(target)} is also among the features")
        return target


class TrainRequest(TrainingSpec):
    """The message of a training job: the HTTP body and the id of the model."""

    model_id: Id | None = None

    def encode(self) -> bytes:
        """Return the JSON body. Raises `errors.TooLarge` if the relay could not publish it."""
        body = super().encode()
        if len(body) > MAX_TRAINING_BYTES:
            raise errors.TooLarge(
                "body",
                f"a training may have {MAX_TRAINING_BYTES} bytes, but this one has {len(body)}",
            )
        return body

    def asks_the_same(self, other: Self) -> bool:
        """Tell whether both ask for the same training, under whatever id."""
        return self.canonical() == other.canonical()

    def canonical(self) -> str:
        """Return the JSON without the model's id; the order of its members never differs."""
        asked = self.model_dump(exclude={"model_id"}, exclude_none=True)
        return json.dumps(asked, sort_keys=True)

    @field_validator("model_id")
    @classmethod
    def _not_reserved(cls, model_id: str | None) -> str | None:
        if model_id == LATEST:
            raise ValueError(f"{LATEST} always means the newest model")
        return model_id


class PredictionInputs(RequestBody):
    """The inputs of a prediction: rows, or images as base64. Each may be a list.

    Images are JPEG, PNG or WebP.
    """

    EXAMPLE = f'{{"input_data": {SHORT_ROW}}}'

    image_data: Images | None = Field(
        None,
        description="A JPEG, PNG or WebP in base64, or a list of images, in place of `input_data`.",
        examples=[GREY_IMAGE],
    )
    input_data: Rows | None = Field(
        None,
        validate_default=True,
        description="A row, which has a value for each feature of the model, or a list of rows.",
        examples=[ROW],
    )
    extra: ExtraFields = None

    @field_validator("input_data")
    @classmethod
    def _one_of_them(cls, rows: Rows | None, info: ValidationInfo) -> Rows | None:
        if "image_data" in info.data and (rows is None) == (info.data["image_data"] is None):
            missing = "is missing, or null; give " if rows is None else "give either "
            raise ValueError(f"{missing}this or image_data")
        return rows

    def encode_inputs(self) -> str:
        """Return the JSON of these fields, without those that subclasses add or that are null."""
        return self.model_dump_json(include=set(PredictionInputs.model_fields), exclude_none=True)

    @property
    def many(self) -> bool:
        """Whether the inputs are a list, and the answer holds lists."""
        return isinstance(self.input_data, list) or isinstance(self.image_data, list)

    @property
    def rows(self) -> list[Row]:
        """Return the rows as a list, empty for images."""
        asked = self.input_data
        return asked if isinstance(asked, list) else [] if asked is None else [asked]

    @property
    def images(self) -> list[str]:
        """Return the images as a list, empty for rows."""
        asked = self.image_data
        return asked if isinstance(asked, list) else [] if asked is None else [asked]


class PredictRequest(PredictionInputs):
    """A prediction by one model.

    `model_id` may be `latest`, the newest trained model, of `dataset_id` if that is given. Both the
    producer and the consumer log the start and end of a request that has a `job_id`.
    """

    EXAMPLE = f'{{"model_id": "latest", "input_data": {SHORT_ROW}}}'

    model_id: AskedModel
    dataset_id: DatasetOfLatest = None
    job_id: LoggedId = None


def job_notification(job_id: str) -> bytes:
    """Return the message of a prediction job: only its id, because the row has the inputs."""
    return json.dumps({"job_id": job_id}).encode()
