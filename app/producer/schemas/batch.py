"""Bodies and answers of batch jobs."""

import csv
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app import errors
from app.producer.schemas.tables import TABLE_BODY
from app.protocol.batch_request import BatchOptions
from app.protocol.examples import DATASET_ID
from app.protocol.training_fields import DatasetVersion
from app.protocol.types import JSON_MEDIA_TYPE, LATEST, JobStatus, QualifiedId


class BatchBody(BatchOptions):
    """A data set to score. Unknown keys are errors."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model_id": LATEST, "dataset_id": DATASET_ID}]},
    )

    dataset_id: QualifiedId = Field(description="The data set to score.", examples=[DATASET_ID])
    dataset_version: DatasetVersion = None


class QueuedBatch(BaseModel):
    """The id of the job, and the model that scores the rows."""

    status: JobStatus
    job_id: str
    model_id: str


class BatchAnswer(BaseModel):
    """The answer of `POST /predict/batch`."""

    message: QueuedBatch


class RowProblem(BaseModel):
    """Rows that could not be scored, and why."""

    type: str = Field(
        description="`missing_value`, `wrong_value`, or `no_answer` if the model gave none."
    )
    column: str | None
    count: int = Field(description="How many rows; one row may have several problems.")
    rows: list[int] = Field(description="The first ones; 1 is the first row below the header.")
    detail: str = Field(description="What was wrong with the first one.")


class BatchResult(BaseModel):
    """What `GET /jobs/{id}/result` returns, and which rows have no prediction there."""

    format: Literal["csv", "parquet"]
    columns: list[str]
    size: int = Field(description="Bytes of the file.")
    rows: int
    scored: int
    not_scored: int
    problems: list[RowProblem] = Field(description="The most frequent ones first.")


def batch_request_body() -> dict[str, Any]:
    """Return OpenAPI's description of the body: JSON that names a data set, or a table."""
    schema = BatchBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    content = {JSON_MEDIA_TYPE: {"schema": schema}, **TABLE_BODY["content"]}
    return {"required": True, "content": content}


def named_columns(text: str) -> list[str]:
    """Return the names in a query parameter: separated by commas, in quotes if they have one.

    Raises `errors.Invalid` for a line break outside of quotes.
    """
    try:
        return next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:
        detail = "names are separated by commas, and a name with a line break is in quotes"
        raise errors.Invalid("columns", detail) from None
