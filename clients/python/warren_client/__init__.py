"""A client of Warren: `w = Warren()`, `w.train(frame, target="price")`, `model.predict(frame)`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warren_client.asynchronous.datasets import AsyncDataset as AsyncDataset
    from warren_client.asynchronous.job import AsyncJob as AsyncJob
    from warren_client.asynchronous.model import AsyncModel as AsyncModel
    from warren_client.asynchronous.warren import AsyncWarren as AsyncWarren
    from warren_client.blocking.datasets import Dataset as Dataset
    from warren_client.blocking.job import Job as Job
    from warren_client.blocking.model import Model as Model
    from warren_client.blocking.warren import Warren as Warren
    from warren_client.errors import JobCancelled as JobCancelled
    from warren_client.errors import JobFailed as JobFailed
    from warren_client.errors import WaitTimeout as WaitTimeout
    from warren_client.errors import WarrenError as WarrenError

# Each is imported when it is used, so that a program pays only for its own kind of client.
_HOMES = {
    "AsyncDataset": "asynchronous.datasets",
    "AsyncJob": "asynchronous.job",
    "AsyncModel": "asynchronous.model",
    "AsyncWarren": "asynchronous.warren",
    "Dataset": "blocking.datasets",
    "Job": "blocking.job",
    "Model": "blocking.model",
    "Warren": "blocking.warren",
    "JobCancelled": "errors",
    "JobFailed": "errors",
    "WaitTimeout": "errors",
    "WarrenError": "errors",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
