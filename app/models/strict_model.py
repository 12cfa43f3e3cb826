"""The base of what clients write about their models."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """The base of models that clients write. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
