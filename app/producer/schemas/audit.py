"""Bodies of HTTP responses about the audit log."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.auth.audit import Action, Outcome, Thing


class AuditEntryView(BaseModel):
    """A change: who asked for it, and what was done to what."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    created_at: datetime = Field(description="When, by the database's clock.")
    owner: str = Field(description="The owner for whom the actor acted.")
    actor: str = Field(
        description="`key ID`, `subject NAME` of a token, `user NAME` of the broker, "
        "`command NAME` of an operator, `anyone` without any of them, or `system`."
    )
    action: Action
    kind: Thing
    name: str = Field(description="The qualified name of the thing: `owner~id`, or an id.")
    detail: str | None = Field(description="Such as with whom it was shared.")
    outcome: Outcome = Field(
        description="`done` was committed with the change. `begun` was written before a change "
        "outside the database, which may have failed."
    )
    request: str | None = Field(description="The header `X-Request-ID`, or a `correlation_id`.")
    address: str | None = Field(description="The address of the client.")


class AuditAnswer(BaseModel):
    """Changes, and the cursor of the next page."""

    audit: list[AuditEntryView]
    next: str | None
