"""The names and arguments of everything Warren declares on the broker.

A declare names only the type of a queue, which can never change. Policies set limits and
dead-lettering, because an operator may change a policy without a 406 at the next declare. The same
topology is in `rabbitmq/etc/definitions.json`, and a test compares the two.
"""

from itertools import chain

from pika.adapters.blocking_connection import BlockingChannel

from app.protocol.types import JobKind

TRAIN_QUEUE = "queue.model.train"
PREDICT_QUEUE = "queue.model.predict"
PREDICT_ASYNC_QUEUE = "queue.model.predict.async"  # prediction jobs
INVOKE_QUEUE = "queue.model.invoke"  # predictions of remote models
DEAD_LETTER_QUEUE = "queue.model.dead"
WORK_QUEUES = (
    TRAIN_QUEUE,
    PREDICT_QUEUE,
    PREDICT_ASYNC_QUEUE,
    INVOKE_QUEUE,
)  # clients publish to these, and consumers consume them

# A training that failed for a temporary reason waits in one of these, longer after each failure,
# and returns to TRAIN_QUEUE as a new message. The seconds are the TTLs of the policies. A shorter
# `expiration` shortens the wait, but a message behind another one waits for it, because only the
# head of a queue expires.
RETRY_QUEUES = {
    "queue.model.retry.1": 2.0,
    "queue.model.retry.2": 10.0,
    "queue.model.retry.3": 60.0,
}

# The queues in which the message of a job may wait, by the job's kind. A prediction job waits for
# its next attempt in its row.
QUEUES_BY_JOB_KIND = {
    JobKind.TRAIN: (TRAIN_QUEUE, *RETRY_QUEUES),
    JobKind.PREDICT: (PREDICT_ASYNC_QUEUE,),
}

# A job must survive the loss of a broker, so its queues are quorum queues. A caller waits for an
# RPC call, so its queues are classic ones, which are faster.
QUEUE_TYPES = {
    **dict.fromkeys(
        (*chain.from_iterable(QUEUES_BY_JOB_KIND.values()), DEAD_LETTER_QUEUE), "quorum"
    ),
    **dict.fromkeys((PREDICT_QUEUE, INVOKE_QUEUE), "classic"),
}

# The limit in rabbitmq.conf. The broker closes the channel of a publisher that exceeds it.
MAX_MESSAGE_BYTES = 4_194_304

# This exchange routes rejected messages to the dead-letter queue, because they show bugs. It drops
# expired messages, because nobody needs them. (Binding to x- headers needs RabbitMQ 3.10.)
REJECTED_EXCHANGE = "exchange.model.rejected"
REJECTED_BINDING = {"x-match": "all-with-x", "x-first-death-reason": "rejected"}


def queue_arguments(queue: str) -> dict[str, str]:
    """Return the arguments a queue is declared with."""
    return {"x-queue-type": QUEUE_TYPES[queue]}


def declare_topology(channel: BlockingChannel) -> None:
    """Declare every queue, the exchange for rejected messages, and its binding; all are durable."""
    for queue in QUEUE_TYPES:
        channel.queue_declare(queue, durable=True, arguments=queue_arguments(queue))
    channel.exchange_declare(REJECTED_EXCHANGE, "headers", durable=True)
    channel.queue_bind(
        DEAD_LETTER_QUEUE, REJECTED_EXCHANGE, routing_key="", arguments=REJECTED_BINDING
    )
