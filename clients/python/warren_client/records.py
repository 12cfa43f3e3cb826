"""What the API answers about jobs, models and data sets; unknown members are kept."""

from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from warren_client.errors import UnexpectedAnswer

COMPLETED, FAILED, CANCELLED = "TASK_COMPLETED", "TASK_ERROR", "TASK_CANCELLED"
ENDED = (COMPLETED, FAILED, CANCELLED)


class Record(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class JobRecord(Record):
    """A job, as `GET /jobs/{id}` answers it."""

    id: str
    kind: str = "train"
    state: str
    version: int = 0
    dataset_id: str | None = None
    dataset_version: str | None = None
    request: dict[str, Any] | None = None
    attempt: int = 0
    progress: float | None = None
    seconds_left: float | None = None
    queue_position: int | None = None
    metrics: dict[str, float] | None = None
    estimator: str | None = None
    warnings: list[dict[str, Any]] | None = None
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    shortened: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in ENDED


class LogLine(Record):
    """A line that a consumer logged about a job; `number` counts the lines of the job from 1.

    A gap in the numbers shows that lines are left out. A line about a `part` of a batch job has its
    number, from 0.
    """

    number: int
    time: datetime
    level: str
    text: str
    attempt: int
    part: int | None = None
    consumer: str = ""


class ModelRecord(Record):
    """A model, as `GET /models/{id}` and lists answer it.

    `name`, `version` and `aliases` are those of a model with a name.
    """

    model_id: str
    kind: str | None = None
    name: str | None = None
    version: int | None = None
    aliases: list[str] = []
    dataset_id: str | None = None
    dataset_version: str | None = None
    estimator: str | None = None
    target: str | None = None
    features: list[dict[str, Any]] | None = None
    inputs: list[dict[str, Any]] | None = None
    labels: list[bool | int | str] | None = None
    metrics: dict[str, float] | None = None
    warnings: list[dict[str, Any]] | None = None

    @property
    def takes_images(self) -> bool:
        """Whether the model takes images in place of rows."""
        return any(each.get("image") for each in self.inputs or [])

    @property
    def columns(self) -> list[str] | None:
        """The names of the features, or None if they are unknown."""
        if self.features is not None:
            return [each["name"] for each in self.features]
        names = [name for each in self.inputs or [] for name in _names(each)]
        return names or None


class DatasetRecord(Record):
    """A data set; what is not known yet is None."""

    id: str
    version: str | None = None
    rows: int | None = None
    size: int | None = None
    columns: Any = None
    warnings: list[Any] = []


def _names(taken: dict[str, Any]) -> list[str]:
    """Return the features of an input of an uploaded model."""
    return [
        each if isinstance(each, str) else str(each["name"]) for each in taken.get("features") or []
    ]


RecordT = TypeVar("RecordT", bound=Record)


def read(kind: type[RecordT], content: object) -> RecordT:
    """Return an answer as a record. Raises `UnexpectedAnswer`."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise UnexpectedAnswer(
            f"the answer is not one of Warren: {place or 'it'} differs"
        ) from None


def member(content: Any, *names: str) -> Any:
    """Return a member of an answer, by its path. Raises `UnexpectedAnswer`."""
    for name in names:
        if not isinstance(content, dict) or name not in content:
            raise UnexpectedAnswer(f"the answer is not one of Warren: it has no {name}")
        content = content[name]
    return content
