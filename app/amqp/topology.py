"""The names and arguments of everything Warren declares on the broker.

Only what can never change is declared here (the type of a queue); limits and dead-lettering sit in
policies, which an operator may change without a 406 at the next declare. All of it stands in
`rabbitmq/etc/definitions.json` too, and a test holds the two equal.
"""

from itertools import chain

from pika.adapters.blocking_connection import BlockingChannel

from app.protocol.types import JobKind

TRAIN_QUEUE = "queue.model.train"
PREDICT_QUEUE = "queue.model.predict"
PREDICT_ASYNC_QUEUE = "queue.model.predict.async"  # predictions that are jobs
INVOKE_QUEUE = "queue.model.invoke"  # models behind somebody's HTTP
DEAD_LETTER_QUEUE = "queue.model.dead"
WORK_QUEUES = (
    TRAIN_QUEUE,
    PREDICT_QUEUE,
    PREDICT_ASYNC_QUEUE,
    INVOKE_QUEUE,
)  # what clients publish to, and consumers consume

# The ladder: a training that failed and may yet succeed waits on a rung, each longer than the one
# before it, and falls back into TRAIN as a new message. The seconds are those of the policies. A
# shorter `expiration` cuts the wait, but not that of a message ahead: only a rung's head expires.
RETRY_QUEUES = {
    "queue.model.retry.1": 2.0,
    "queue.model.retry.2": 10.0,
    "queue.model.retry.3": 60.0,
}

# Where the message of a job may wait, by the job's kind. A prediction that has to wait for its next
# attempt waits in its row.
QUEUES_BY_JOB_KIND = {
    JobKind.TRAIN: (TRAIN_QUEUE, *RETRY_QUEUES),
    JobKind.PREDICT: (PREDICT_ASYNC_QUEUE,),
}

# A job must outlive a broker; an answer that somebody waits for must be quick.
QUEUE_TYPES = {
    **dict.fromkeys(
        (*chain.from_iterable(QUEUES_BY_JOB_KIND.values()), DEAD_LETTER_QUEUE), "quorum"
    ),
    **dict.fromkeys((PREDICT_QUEUE, INVOKE_QUEUE), "classic"),
}

# What rabbitmq.conf allows; the broker closes the channel on whoever publishes more.
MAX_MESSAGE_BYTES = 4_194_304

# A prediction that expired is of no use to anybody, one that was rejected is a bug to look at: this
# exchange lets through what was rejected. (Binding to x- headers needs RabbitMQ 3.10.)
REJECTED_EXCHANGE = "exchange.model.rejected"
REJECTED_BINDING = {"x-match": "all-with-x", "x-first-death-reason": "rejected"}


def queue_arguments(queue: str) -> dict[str, str]:
    """Return the arguments a queue is declared with."""
    return {"x-queue-type": QUEUE_TYPES[queue]}


def declare_topology(channel: BlockingChannel) -> None:
    """Declare every queue, the exchange of the rejected, and its binding; all of them durable."""
    for queue in QUEUE_TYPES:
        channel.queue_declare(queue, durable=True, arguments=queue_arguments(queue))
    channel.exchange_declare(REJECTED_EXCHANGE, "headers", durable=True)
    channel.queue_bind(
        DEAD_LETTER_QUEUE, REJECTED_EXCHANGE, routing_key="", arguments=REJECTED_BINDING
    )
