"""The names and arguments of everything Warren declares on the broker.

Only what can never change is declared here (the type of a queue); limits and dead-lettering sit in
policies, which an operator may change without a 406 at the next declare. All of it stands in
`rabbitmq/etc/definitions.json` too, and a test holds the two equal.
"""

from pika.adapters.blocking_connection import BlockingChannel

TRAIN = "queue.model.train"
PREDICT = "queue.model.predict"
DEAD = "queue.model.dead"

# A job must outlive a broker; a prediction somebody waits for must be quick.
TYPES = {TRAIN: "quorum", PREDICT: "classic", DEAD: "quorum"}

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
