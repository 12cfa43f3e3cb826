"""How long a failed job waits for its next attempt, and in which queue."""

import random

from app.amqp.topology import RETRY_QUEUES


def retry_delay(failures: int) -> float:
    """Return the seconds until the next attempt after so many that failed.

    Each failure leads to the next rung; the jitter takes up to half of its time away.
    """
    longest = list(RETRY_QUEUES.values())
    return longest[min(failures, len(longest)) - 1] * random.uniform(0.5, 1.0)  # noqa: S311


def retry_queue(delay: float) -> str:
    """Return the queue to wait in for `delay` seconds: the shortest that is long enough."""
    return next(
        (name for name, longest in RETRY_QUEUES.items() if delay <= longest), list(RETRY_QUEUES)[-1]
    )
