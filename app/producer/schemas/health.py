"""Bodies of HTTP responses of the health checks."""

from pydantic import BaseModel


class Alive(BaseModel):
    """`ok`; otherwise the response is a problem document."""

    status: str


class Check(BaseModel):
    """The health of one service: `ok` or `ng`, the time of the check, and what is wrong."""

    status: str
    elapsed_ms: float
    detail: str | None = None


class ModelHealth(BaseModel):
    """How a model answered the calls of this producer.

    `state` is `ok` or `ng` after its last answer, which took `elapsed_ms` and came `seconds_ago`;
    `error` is its last error. Mistakes of a caller count as `calls`, not as `errors`.
    """

    kind: str | None = None
    state: str
    calls: int
    errors: int
    elapsed_ms: float
    seconds_ago: float
    error: str | None = None


class RunningVersions(BaseModel):
    """The version of this producer, and how many consumers run each version.

    `skew` is true if one of them runs other code than this producer. GET /workers names them.
    """

    producer: str
    consumers: dict[str, int]
    skew: bool


class Health(BaseModel):
    """`ok` if every service is.

    `models` are those that were called in the last 15 minutes. They do not change `status`,
    because a failing remote model must not take this process out of service for all others.
    `versions` does not change it either, because an upgrade has both for a while.
    """

    status: str
    checks: dict[str, Check]
    models: dict[str, ModelHealth]
    versions: RunningVersions | None = None
