"""Bodies of HTTP responses about the logs of jobs."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.observability.job_lines import FIRST, LAST, MAX_CHARACTERS


class JobLineView(BaseModel):
    """A line that a consumer logged about a job."""

    number: int = Field(
        description="Its number among all lines of the job, from 1. Lines that are left out have "
        "numbers, too."
    )
    attempt: int = Field(description="The attempt of the job, or of the part, that it is about.")
    part: int | None = Field(description="The part of a batch job that it is about.")
    time: datetime = Field(description="By the clock of the consumer.")
    level: str = Field(description="`INFO`, `WARNING`, `ERROR` or `CRITICAL`.")
    text: str = Field(
        description=f"At most {MAX_CHARACTERS:,} characters. Those that cannot be seen are escaped."
    )
    consumer: str = Field(description="The thread of a consumer that ran the attempt.")


class JobLogView(BaseModel):
    """The lines of a job's log behind those that were read before, the oldest first."""

    job_id: str
    lines: list[JobLineView]
    next: int = Field(description="The `after` of the lines that follow.")
    total: int = Field(description="How many lines there were so far.")
    left_out: int = Field(
        description="How many of these are not kept, because of each job the first "
        f"{FIRST} and the last {LAST} are."
    )
    complete: bool = Field(description="Whether no line will come after these.")
