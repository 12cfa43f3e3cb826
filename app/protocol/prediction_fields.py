"""The fields of a prediction request, with their descriptions and examples."""

from typing import Annotated, Literal

from pydantic import Field

from app.protocol.examples import DATASET_ID
from app.protocol.types import LATEST, Id

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
