"""The body of a prediction, the same for every peer: what FastAPI checks."""

from pydantic import BaseModel


class Request(BaseModel):
    """The model's id, which only Warren needs, and one row."""

    model_id: str
    input_data: dict[str, float]
