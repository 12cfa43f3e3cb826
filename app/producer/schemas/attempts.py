"""Bodies of HTTP responses about the attempts of jobs."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.jobs.attempt_end import AttemptOutcome
from app.jobs.attempt_statements import KEPT


class AttemptView(BaseModel):
    """One attempt of a job; `ended_at` and `outcome` are null while it runs."""

    attempt: int = Field(description="The number of the attempt; 1 is the first.")
    consumer: str = Field(description="The thread of a consumer that ran the attempt.")
    started_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None = Field(
        description="How the attempt ended: `completed`; `split` into the parts of a batch job; "
        "`failed`; `interrupted`, because the system ended its process; `consumer_lost`; "
        "`lease_expired`, because its consumer did not renew it; `released`, because the consumer "
        "stopped or another caller got its slot; `replaced` by another attempt of the same thread; "
        "`cancelled`."
    )
    reason: str | None = Field(
        description="Why it ended: the type and the detail of the error, or why it was released."
    )


class Attempts(BaseModel):
    """The attempts of a job, the first one first."""

    attempts: list[AttemptView] = Field(
        description=f"The newest {KEPT}. Attempts of older versions of a consumer are missing."
    )
