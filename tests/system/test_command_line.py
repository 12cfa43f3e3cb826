"""The consumer's command line."""

import pytest

from app.amqp.topology import PREDICT_QUEUE, TRAIN_QUEUE
from tests.system.support.processes import Stack

SCRIPT = "app/consumer/consumer.py"


@pytest.mark.parametrize("options", ["--num_threads 0", "--num_threads many", "--threads 2"])
def test_a_wrong_option_is_a_usage_error(options: str, stack: Stack) -> None:
    consumer = stack.start((SCRIPT, *options.split()))
    assert consumer.wait() == 2
    usage, _, error = consumer.output().partition("Error: ")
    assert usage.startswith("Usage: ")
    assert options.split()[0] in error
    assert "Traceback" not in error


def test_the_consumer_is_a_module_too_and_takes_a_dash_for_the_underscore(stack: Stack) -> None:
    stack.consumer(("-m", "app.consumer.consumer", "--num-threads", "1"))
    with stack.amqp() as connection:
        for queue in (TRAIN_QUEUE, PREDICT_QUEUE):
            state = connection.channel().queue_declare(queue, passive=True).method
            assert state.consumer_count == 1
