"""The retry delay of a failed job, and the queue in which it waits.

The seconds are in `RETRY_QUEUES` of `amqp/topology.py`, beside the queues that have them as TTLs.
"""

import random

from app.amqp.topology import RETRY_QUEUES


def retry_delay(failures: int) -> float:
    """Return the seconds until the next attempt, after this number of failures.

    Each failure leads to the next retry queue; the jitter shortens its delay by up to half.
    """
    longest = list(RETRY_QUEUES.values())
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 # nosec B311 # no secret
    return longest[min(failures, len(longest)) - 1] * jitter


def retry_queue(delay: float) -> str:
    """Return the retry queue for a delay in seconds: the shortest that is long enough."""
    return next(
        (name for name, longest in RETRY_QUEUES.items() if delay <= longest), list(RETRY_QUEUES)[-1]
    )
