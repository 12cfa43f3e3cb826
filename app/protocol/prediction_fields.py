"""The fields of a prediction request, with their descriptions and examples."""

from typing import Annotated, Literal

from pydantic import Field

from app.protocol.examples import DATASET_ID
from app.protocol.references import ModelReference
from app.protocol.types import LATEST, QualifiedId

Extra = Literal["ignore"]  # how to treat fields of a row that the model does not know
ExtraFields = Annotated[
    Extra | None,
    Field(
        description="With `ignore`, a row may have fields that the model does not know.",
        examples=["ignore"],
    ),
]
AskedModel = Annotated[
    ModelReference,
    Field(
        description="A model: its id, `name` for the newest version of a name, `name:version`, "
        f"`name@alias`, or `{LATEST}`: the newest trained one.",
        examples=[LATEST],
    ),
]
DatasetOfLatest = Annotated[
    QualifiedId | None,
    Field(
        description=f"With the model `{LATEST}`: the newest one that was trained on this data set.",
        examples=[DATASET_ID],
    ),
]
SplitKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=256)] | None,
    Field(
        description="What chooses among the versions of a name whose calls are split, such as the "
        "id of a customer: the same key always gets the same version. Without one, chance does.",
        examples=["customer-4711"],
    ),
]
LoggedId = Annotated[
    QualifiedId | None,
    Field(
        description="An id of the client's for this request. Producer and consumer log it.",
        examples=["call-17"],
    ),
]
