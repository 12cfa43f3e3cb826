"""What the stack says while it waits for its parts."""

from devstack.stack import listed


def test_queues_without_a_consumer_are_told_as_the_consumer():
    missing = ["rabbitmq", "queue.model.train", "queue.model.predict"]

    assert listed(missing) == "rabbitmq, the consumer (2 queues)"
    assert listed(["s3"]) == "s3"
