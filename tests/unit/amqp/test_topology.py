import pytest

from app.amqp.topology import (
    BATCH_PART_QUEUE,
    BATCH_QUEUE,
    PREDICT_ASYNC_QUEUE,
    QUEUES_BY_JOB_KIND,
    RETRY_QUEUES,
    TRAIN_QUEUE,
    queue_arguments,
)
from app.jobs import retry_policy

RETRIES = list(RETRY_QUEUES)
LONGEST = list(RETRY_QUEUES.values())


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 2.0), (2, 10.0), (3, 60.0), (4, 60.0), (100, 60.0)]
)
def test_each_failure_waits_longer_than_the_one_before(failures, longest):
    delays = [retry_policy.retry_delay(failures) for _ in range(200)]

    assert all(longest / 2 <= delay <= longest for delay in delays)
    assert len(set(delays)) > 100  # a fleet does not come back in step
    assert min(delays) < longest * 0.6
    assert max(delays) > longest * 0.9


@pytest.mark.parametrize("failures", range(1, 6))
def test_a_delay_fits_the_rung_of_its_failure(failures):
    """The shortest delay of a rung is longer than the rung before, so that none is left out."""
    rung = RETRIES[min(failures, len(RETRIES)) - 1]

    assert {retry_policy.retry_queue(retry_policy.retry_delay(failures)) for _ in range(200)} == {
        rung
    }


@pytest.mark.parametrize(
    ("delay", "rung"),
    [
        (0.001, 1),
        (2.0, 1),
        (2.001, 2),
        (10.0, 2),
        (10.001, 3),
        (60.0, 3),
        (60.001, 3),  # the longest there is
        (86_400.0, 3),
    ],
)
def test_a_message_waits_on_the_shortest_rung_that_is_long_enough(delay, rung):
    assert retry_policy.retry_queue(delay) == f"queue.model.retry.{rung}"


def test_the_ladder_is_climbed_in_order():
    assert sorted(LONGEST) == LONGEST
    assert [retry_policy.retry_queue(longest) for longest in LONGEST] == RETRIES


def test_the_messages_of_jobs_wait_in_queues_that_outlive_a_broker():
    assert {
        "train": (TRAIN_QUEUE, *RETRIES),
        "predict": (PREDICT_ASYNC_QUEUE,),
        "batch": (BATCH_QUEUE,),
        "part": (BATCH_PART_QUEUE,),
    } == QUEUES_BY_JOB_KIND
    for queue in (name for names in QUEUES_BY_JOB_KIND.values() for name in names):
        assert queue_arguments(queue) == {"x-queue-type": "quorum"}
