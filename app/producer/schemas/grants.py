"""Bodies of HTTP responses about grants."""

from datetime import datetime

from pydantic import BaseModel, Field


class GrantView(BaseModel):
    """Who may read a model or a data set."""

    grantee: str = Field(description="An owner, or `*` for all.")
    created_at: datetime = Field(description="Since when.")
    granted_by: str | None = Field(
        description="The id of the key, or the subject of the token, that granted it; null without "
        "authentication."
    )


class GrantsAnswer(BaseModel):
    """All grants of a model or a data set, by grantee."""

    grants: list[GrantView]
