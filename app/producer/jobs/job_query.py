"""The filter of the jobs, which is the query of the address."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends

from app.auth.names import qualified
from app.jobs.listing import JobFilter
from app.producer.routing.list_parameters import (
    Metric,
    OfEstimator,
    OfName,
    WithTag,
    WithText,
    condition,
)
from app.protocol.types import JobKind, JobStatus, QualifiedId


@dataclass(frozen=True)
class JobQuery:
    """Which jobs a list has, as `GET /jobs` and the pages take it."""

    state: JobStatus | None = None
    kind: Literal["train", "predict", "batch"] | None = None
    dataset_id: QualifiedId | None = None
    estimator: OfEstimator = None
    tag: WithTag = None
    metric: Metric = None
    name: OfName = None
    text: WithText = None

    def filter(self, owner: str) -> JobFilter:
        """Return the filter of the table."""
        return JobFilter(
            owner,
            self.state,
            self.kind and JobKind(self.kind),
            self.dataset_id and qualified(owner, self.dataset_id),
            self.estimator,
            self.tag,
            condition(self.metric),
            self.name and qualified(owner, self.name),
            self.text,
        )

    @property
    def query(self) -> dict[str, Any]:
        """The parameters that are given."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def words(self) -> str:
        """The filter in words."""
        shown = {**self.query, **({"state": self.state[5:].lower()} if self.state else {})}
        return ", ".join(f"{name.replace('_id', '')} {value}" for name, value in shown.items())


JobQueryDep = Annotated[JobQuery, Depends()]
