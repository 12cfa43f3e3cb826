"""The pages in the bar at the top, and the scopes of which each needs one."""

from typing import NamedTuple

from app.auth.identity import ALL_SCOPES, Scope

JOBS = (Scope.JOBS, Scope.TRAIN)
MODELS = (Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
DATA = (Scope.DATA, Scope.TRAIN)


class Shown(NamedTuple):
    """A page of the bar."""

    path: str
    name: str
    scopes: frozenset[Scope]


PAGES = (
    Shown("/ui", "Overview", ALL_SCOPES),
    Shown("/ui/jobs", "Jobs", frozenset(JOBS)),
    Shown("/ui/models", "Models", frozenset(MODELS)),
    Shown("/ui/names", "Names", frozenset(MODELS)),
    Shown("/ui/datasets", "Data sets", frozenset(DATA)),
    Shown("/ui/workers", "Consumers", frozenset((Scope.METRICS, Scope.ADMIN))),
    Shown("/ui/dead-letters", "Dead letters", frozenset((Scope.ADMIN,))),
)
