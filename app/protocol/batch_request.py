"""The request of a batch job, as the body of `POST /predict/batch` and as the row of its job."""

from typing import Any, Literal

from pydantic import Field, field_validator

from app.protocol.prediction_fields import SplitKey
from app.protocol.references import ModelReference
from app.protocol.requests import RequestBody
from app.protocol.types import Column, QualifiedId
from app.protocol.wording import listed, repeated

MAX_CHOSEN = 1000  # columns


class BatchOptions(RequestBody):
    """What is scored, and what the result holds."""

    EXAMPLE = '{"model_id": "latest", "dataset_id": "diabetes"}'

    model_id: ModelReference = Field(
        description="The model: its id, `name`, `name:version`, `name@alias`, or `latest`: the one "
        "that was trained last.",
        examples=["latest"],
    )
    split_key: SplitKey = None
    columns: list[Column] = Field(
        [],
        max_length=MAX_CHOSEN,
        description="The columns of the table that the result has in front of the answers, as "
        "texts.",
        examples=[["age"]],
    )
    format: Literal["csv", "parquet"] = Field(
        "csv", description="The format of the result: `csv` or `parquet`.", examples=["csv"]
    )
    probabilities: bool | None = Field(
        None,
        description="Whether the result of a classifier has a column with the probability of each "
        "label. By default it has if there are at most 100 labels.",
        examples=[True],
    )

    def told(self) -> str:
        """Return the JSON that tells one request from another.

        It lacks a `split_key` that is not given, because older versions knew none.
        """
        left_out = {"split_key"} if self.split_key is None else set()
        return self.model_dump_json(exclude=left_out)

    @field_validator("columns")
    @classmethod
    def _distinct(cls, columns: list[str]) -> list[str]:
        if twice := repeated(columns):
            raise ValueError(f"given more than once: {listed(twice)}")
        return columns


class BatchRequest(BatchOptions):
    """The row of a batch job: `dataset_id`, or how the table that was uploaded is read.

    It has the exact model, so it never has a `split_key`.
    """

    model: str | None = None  # `name:version`, if a name was asked for
    dataset_id: QualifiedId | None = None
    table_format: dict[str, Any] | None = None
