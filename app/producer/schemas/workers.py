"""Bodies of HTTP responses about consumers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class WorkerView(BaseModel):
    """A consumer: what it last said of itself, `seconds_ago`.

    `threads` are those of each kind, `jobs` those that it has in hand, and `memory_bytes` its
    resident memory with that of its children. `unacknowledged` are the deliveries that it holds, by
    queue; null from a consumer of an older version. A consumer that is silent for 35 s is `lost`.
    """

    name: str
    state: Literal["alive", "lost"]
    host: str
    pid: int
    version: str
    python: str
    threads: int
    jobs: int
    memory_bytes: int
    unacknowledged: dict[str, int] | None = None
    started_at: datetime
    seconds_ago: float


class Workers(BaseModel):
    """The consumers of the last hour, and the `version` of the producer that answers.

    `version_skew` is true if a consumer that is alive runs other code than this producer.
    """

    version: str
    version_skew: bool
    workers: list[WorkerView]
