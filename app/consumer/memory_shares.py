"""The memory that a consumer and its children may take together."""

from app.children.limits import TABLE_STEP
from app.children.memory_sum import Share
from app.settings import Settings

_THREADS = "--num_threads"


def memory_shares(settings: Settings, num_threads: int, models: int) -> list[Share]:
    """Return what all threads may take at a time; `models` is the budget of models in bytes."""
    return [
        Share("fits", settings.fit_memory, num_threads, ("FIT_MEMORY", _THREADS)),
        Share("models at work", models, settings=("MODEL_MEMORY",)),
        Share("models that are kept", settings.model_cache, settings=("MODEL_CACHE",)),
        # One thread splits and joins tables, and each of the others scores a part.
        Share("tables of batch jobs", TABLE_STEP, num_threads + 1, (_THREADS,)),
    ]
