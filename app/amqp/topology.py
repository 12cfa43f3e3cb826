"""The names and arguments of everything Warren declares on the broker.

A declare names only the type of a queue, which can never change. Policies set limits and
dead-lettering, because an operator may change a policy without a 406 at the next declare. The same
topology is in `rabbitmq/etc/definitions.json`, and a test compares the two.
"""

from itertools import chain
from typing import Any, NamedTuple

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from app import errors
from app.protocol.types import JobKind

TRAIN_QUEUE = "queue.model.train"
PREDICT_QUEUE = "queue.model.predict"
PREDICT_ASYNC_QUEUE = "queue.model.predict.async"  # prediction jobs
BATCH_QUEUE = "queue.model.batch"  # batch jobs: to split one into parts, to put the parts together
BATCH_PART_QUEUE = "queue.model.batch.part"  # parts of batch jobs
INVOKE_QUEUE = "queue.model.invoke"  # predictions of remote models
DEAD_LETTER_QUEUE = "queue.model.dead"
WORK_QUEUES = (
    TRAIN_QUEUE,
    PREDICT_QUEUE,
    PREDICT_ASYNC_QUEUE,
    BATCH_QUEUE,
    BATCH_PART_QUEUE,
    INVOKE_QUEUE,
)  # consumers consume these
PUBLIC_QUEUES = (TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE)  # clients may publish to these
PRESENCE_PREFIX = "queue.consumer."  # an exclusive queue of each consumer shows that it is alive
OWN_PREFIXES = ("queue.model.", PRESENCE_PREFIX)  # of the queues that are no client's

# A training that failed for a temporary reason waits in one of these, longer after each failure,
# and returns to TRAIN_QUEUE as a new message. The seconds are the TTLs of the policies. A shorter
# `expiration` shortens the wait, but a message behind another one waits for it, because only the
# head of a queue expires.
RETRY_QUEUES = {
    "queue.model.retry.1": 2.0,
    "queue.model.retry.2": 10.0,
    "queue.model.retry.3": 60.0,
}

# The queues in which the message of a job may wait, by the job's kind. Only trainings wait for
# their next attempt in a queue; other jobs wait in their rows.
QUEUES_BY_JOB_KIND = {
    JobKind.TRAIN: (TRAIN_QUEUE, *RETRY_QUEUES),
    JobKind.PREDICT: (PREDICT_ASYNC_QUEUE,),
    JobKind.BATCH: (BATCH_QUEUE,),
    JobKind.PART: (BATCH_PART_QUEUE,),
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

# Whoever may write the default exchange may write every queue of the vhost. These direct exchanges
# reach only the queues that are bound to them, each by its name.
REQUEST_EXCHANGE = "exchange.model.requests"  # of clients
WORK_EXCHANGE = "exchange.model.work"  # of the producer, the consumers and the tools
EXCHANGE_TYPES = {
    REJECTED_EXCHANGE: "headers",
    REQUEST_EXCHANGE: "direct",
    WORK_EXCHANGE: "direct",
}


class Binding(NamedTuple):
    """A binding of a queue to an exchange."""

    exchange: str
    queue: str
    routing_key: str
    arguments: dict[str, str]


BINDINGS = (
    Binding(REJECTED_EXCHANGE, DEAD_LETTER_QUEUE, "", REJECTED_BINDING),
    *(Binding(WORK_EXCHANGE, queue, queue, {}) for queue in (*WORK_QUEUES, *RETRY_QUEUES)),
    *(Binding(REQUEST_EXCHANGE, queue, queue, {}) for queue in PUBLIC_QUEUES),
)

_ACCESS_REFUSED = 403
_NOT_FOUND = 404


def queue_arguments(queue: str) -> dict[str, str]:
    """Return the arguments a queue is declared with."""
    return {"x-queue-type": QUEUE_TYPES[queue]}


def declare_topology(channel: BlockingChannel) -> None:
    """Declare every queue, exchange and binding; all are durable."""
    for queue in QUEUE_TYPES:
        channel.queue_declare(queue, durable=True, arguments=queue_arguments(queue))
    for exchange, kind in EXCHANGE_TYPES.items():
        channel.exchange_declare(exchange, kind, durable=True)
        for each in BINDINGS:
            if each.exchange == exchange:
                channel.queue_bind(each.queue, exchange, each.routing_key, each.arguments)


def topology_definitions(vhost: str) -> dict[str, list[dict[str, Any]]]:
    """Return the topology in the form in which RabbitMQ imports it."""
    made = {"vhost": vhost, "durable": True, "auto_delete": False}
    return {
        "exchanges": [
            {"name": name, **made, "type": kind, "internal": False, "arguments": {}}
            for name, kind in EXCHANGE_TYPES.items()
        ],
        "queues": [
            {"name": name, **made, "arguments": queue_arguments(name)} for name in QUEUE_TYPES
        ],
        "bindings": [
            {
                "source": each.exchange,
                "vhost": vhost,
                "destination": each.queue,
                "destination_type": "queue",
                "routing_key": each.routing_key,
                "arguments": each.arguments,
            }
            for each in BINDINGS
        ],
    }


def ensure_topology(connection: BlockingConnection) -> None:
    """Declare the topology if a part of it is missing.

    A user with least privilege may declare nothing, so what exists is not declared again. Raises
    what `restore_topology` does.
    """
    if not _exists(connection):
        restore_topology(connection)


def restore_topology(connection: BlockingConnection) -> None:
    """Declare the topology again, on a channel of its own.

    Raises `errors.BrokerUnavailable` if the user may not.
    """
    try:
        with connection.channel() as channel:
            declare_topology(channel)
    except ChannelClosedByBroker as error:
        if error.reply_code != _ACCESS_REFUSED:
            raise
        detail = (
            f"`python -m app.cli.broker restore` makes it. The user may not: {error.reply_text}"
        )
        raise errors.BrokerUnavailable(
            f"a queue, exchange or binding is missing; {detail}"
        ) from None


def _exists(connection: BlockingConnection) -> bool:
    """Tell whether all queues exist, and the exchange that is declared last."""
    try:
        with connection.channel() as channel:
            channel.exchange_declare(WORK_EXCHANGE, passive=True)
            for queue in QUEUE_TYPES:
                channel.queue_declare(queue, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code not in (_NOT_FOUND, _ACCESS_REFUSED):
            raise
        return False
    return True
