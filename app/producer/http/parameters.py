"""Query parameters that several routes take.

Examples of parameters that may be left out are those of the schema, because the page `/docs` would
send others with each request.
"""

from typing import Annotated

from fastapi import Query

from app import errors
from app.protocol import prediction_fields
from app.protocol.types import LATEST

Limit = Annotated[int, Query(ge=1, le=1000, description="How many to list at most.", examples=[20])]
DatasetOfLatest = Annotated[prediction_fields.DatasetOfLatest, Query()]


def check_latest(model_id: str, dataset_id: str | None) -> None:
    """Raise `errors.Invalid` if a data set is given beside a model that is not `latest`."""
    if dataset_id is not None and model_id != LATEST:
        raise errors.Invalid(
            "dataset_id", f"it only goes with the model {LATEST}, of which each data set has one"
        )
