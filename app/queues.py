"""The names and arguments of everything Warren declares on the broker.

Only what can never change is declared here (the type of a queue); limits and dead-lettering sit in
policies, which an operator may change without a 406 at the next declare. All of it stands in
`rabbitmq/etc/definitions.json` too, and a test holds the two equal.
"""

import random

from pika.adapters.blocking_connection import BlockingChannel

TRAIN = "queue.model.train"
PREDICT = "queue.model.predict"
PREDICT_ASYNC = "queue.model.predict.async"  # predictions that are jobs
INVOKE = "queue.model.invoke"  # models behind somebody's HTTP
DEAD = "queue.model.dead"
WORK = (TRAIN, PREDICT, PREDICT_ASYNC, INVOKE)  # what clients publish to, and consumers consume

# The ladder: a training that failed and may yet succeed waits on a rung, each longer than the one
# before it, and falls back into TRAIN as a new message. The seconds are those of the policies. A
# shorter `expiration` cuts the wait, but not that of a message ahead: only a rung's head expires.
LADDER = {"queue.model.retry.1": 2.0, "queue.model.retry.2": 10.0, "queue.model.retry.3": 60.0}

# Where the message of a job may wait, by the job's kind. A prediction that has to wait for its next
# attempt waits in its row.
OF_JOBS = {"train": (TRAIN, *LADDER), "predict": (PREDICT_ASYNC,)}

# A job must outlive a broker; an answer that somebody waits for must be quick.
TYPES = {
    **dict.fromkeys((*OF_JOBS["train"], *OF_JOBS["predict"], DEAD), "quorum"),
    **dict.fromkeys((PREDICT, INVOKE), "classic"),
}

# What rabbitmq.conf allows; the broker closes the channel on whoever publishes more.
MAX_MESSAGE_BYTES = 4_194_304

# A prediction that expired is of no use to anybody, one that was rejected is a bug to look at: this
# exchange lets through what was rejected. (Binding to x- headers needs RabbitMQ 3.10.)
REJECTED = "exchange.model.rejected"
REJECTED_BINDING = {"x-match": "all-with-x", "x-first-death-reason": "rejected"}


def arguments(queue: str) -> dict[str, str]:
    """Return the arguments a queue is declared with."""
    return {"x-queue-type": TYPES[queue]}


def declare(channel: BlockingChannel) -> None:
    """Declare every queue, the exchange of the rejected, and its binding; all of them durable."""
    for queue in TYPES:
        channel.queue_declare(queue, durable=True, arguments=arguments(queue))
    channel.exchange_declare(REJECTED, "headers", durable=True)
    channel.queue_bind(DEAD, REJECTED, routing_key="", arguments=REJECTED_BINDING)


def delay(failures: int) -> float:
    """Return the seconds until the next attempt after so many that failed.

    Each failure leads to the next rung; the jitter takes up to half of its time away.
    """
    longest = list(LADDER.values())
    return longest[min(failures, len(longest)) - 1] * random.uniform(0.5, 1.0)  # noqa: S311


def rung(delay: float) -> str:
    """Return the queue to wait in for `delay` seconds: the shortest that is long enough."""
    return next((name for name, longest in LADDER.items() if delay <= longest), list(LADDER)[-1])
