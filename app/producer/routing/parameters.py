"""Parameters that several routes take.

Examples of parameters that may be left out are those of the schema, because the page `/docs` would
send others with each request.
"""

from datetime import UTC
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime

from app import errors
from app.auth.names import is_latest
from app.producer.routing.examples import example
from app.protocol import prediction_fields
from app.protocol.examples import DATASET_ID, MODEL_NAME
from app.protocol.references import ModelReference
from app.protocol.types import LATEST, Explained, QualifiedId, VersionName

MODEL = "A model: its id, `name`, `name:version`, `name@alias`, or `latest`."
ModelInPath = Annotated[ModelReference, Path(description=MODEL, openapi_examples=example(LATEST))]
JobInPath = Annotated[
    QualifiedId,
    Path(description="A job, or `latest`: the newest one.", openapi_examples=example(LATEST)),
]
DatasetInPath = Annotated[
    QualifiedId, Path(description="A data set.", openapi_examples=example(DATASET_ID))
]
VersionOfDataset = Annotated[
    VersionName | None,
    Query(description="A version of the data set; the current one if left out.", examples=[None]),
]
NameInPath = Annotated[
    QualifiedId, Path(description="A name of models.", openapi_examples=example(MODEL_NAME))
]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many to list at most.", examples=[20])]
# SQLite compares times as texts, so they have to be in UTC.
UtcTime = Annotated[
    Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))],
    Explained("write a time with its zone, such as 2026-01-31T00:00:00Z"),
]
DatasetOfLatest = Annotated[prediction_fields.DatasetOfLatest, Query()]


def check_latest(model_id: str, dataset_id: str | None) -> None:
    """Raise `errors.Invalid` if a data set is given beside a model that is not `latest`."""
    if dataset_id is not None and not is_latest(model_id):
        raise errors.Invalid(
            "dataset_id", f"it only goes with the model {LATEST}, of which each data set has one"
        )
