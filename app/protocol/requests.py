"""Requests as JSON bodies of messages; the producer and the consumers both validate them.

Those of trainings are in `training_request.py`.
"""

import json
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.protocol.examples import GREY_IMAGE, ROW, SHORT_ROW
from app.protocol.orients import inputs_of_split
from app.protocol.prediction_fields import (
    AskedModel,
    DatasetOfLatest,
    ExtraFields,
    LoggedId,
    SplitKey,
)
from app.protocol.types import Images, Row, Rows, Values


class RequestBody(BaseModel):
    """The body of a request. Consumers ignore unknown keys of newer producers.

    `EXAMPLE` is a small body, which errors show.
    """

    EXAMPLE: ClassVar[str]
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    def encode(self) -> bytes:
        """Return the JSON body, without the members that are null."""
        return self.model_dump_json(exclude_none=True).encode()


class PredictionInputs(RequestBody):
    """The inputs of a prediction: rows, or images as base64. Each may be a list.

    Images are JPEG, PNG or WebP. `columns` and `data` beside the other members stand for
    `input_data`.
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
        description="A row, which has a value for each feature of the model, or a list of rows. "
        "A row in a list may be a list of values, in the model's order of the features. Rows may "
        "also come as an object of pandas: `{columns, data}`, its orient `split`, or a list of "
        "values for each feature, its orient `list`.",
        examples=[ROW],
    )
    extra: ExtraFields = None

    @model_validator(mode="before")
    @classmethod
    def _of_split(cls, body: Any) -> Any:
        return inputs_of_split(body) if isinstance(body, dict) and "data" in body else body

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
    def rows(self) -> list[Row] | list[Values]:
        """Return the rows as a list, empty for images.

        All are objects, or all are lists of values in the model's order of the features.
        """
        asked = self.input_data
        return asked if isinstance(asked, list) else [] if asked is None else [asked]

    @property
    def field(self) -> str:
        """Return the name of the field that has the inputs."""
        return "input_data" if self.image_data is None else "image_data"

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
    split_key: SplitKey = None
    job_id: LoggedId = None


def job_notification(job_id: str) -> bytes:
    """Return the message of a prediction job: only its id, because the row has the inputs."""
    return json.dumps({"job_id": job_id}).encode()
