"""How a consumer ends: with its work done or handed back, and nobody left behind."""

import json
import signal
import sys
from collections.abc import Callable
from time import monotonic

import httpx2
import pytest

from app.amqp.topology import TRAIN_QUEUE
from tests.support import harmful_graphs
from tests.support.graphs import LINEAR
from tests.system.support.client import ENDLESS, LONG, job, reached, train, upload
from tests.system.support.processes import Process, Stack, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def begin(consumer: Process, http: httpx2.Client, **changes: object) -> str:
    """Have a fit begun, in a process of its own; return the model's id."""
    before = consumer.family()
    model_id = train(http, **changes)
    until(lambda: consumer.family() - before, "the fit has a process")
    assert job(http, model_id)["state"] == "TASK_RUNNING"
    return model_id


def left_alone(consumer: Process) -> None:
    """Wait until nobody of its group is left: those it forked learn of its end by a pipe."""
    until(lambda: not consumer.family(), "nobody is left")


@pytest.mark.parametrize("end", [Process.terminate, Process.interrupt])
def test_a_consumer_told_to_end_finishes_what_it_has_in_hand(
    end: Callable[[Process], None], stack: Stack
) -> None:
    _, consumer, http = stack.pair()
    upload(http)
    in_flight = begin(consumer, http, **LONG)
    end(consumer)
    assert consumer.wait() == 0
    assert consumer.output().rstrip().endswith("drained")  # no warning of what was left
    assert job(http, in_flight)["state"] == "TASK_COMPLETED"
    draining, after = consumer.output().split("draining")
    assert f"[{in_flight}]" in draining
    assert f"[{in_flight}] attempt 1: TASK_COMPLETED" in after
    assert stack.waiting(TRAIN_QUEUE) == 0
    left_alone(consumer)


def test_a_consumer_hands_back_what_it_cannot_finish_in_time(stack: Stack) -> None:
    _, consumer, http = stack.pair(DRAIN_SECONDS="1")
    upload(http)
    too_long = begin(consumer, http, **ENDLESS)
    consumer.terminate()
    assert consumer.wait() == 0
    handed_back = job(http, too_long)
    assert (handed_back["state"], handed_back["worker"]) == ("TASK_QUEUED", None)
    assert handed_back["failures"] == 0
    until(lambda: stack.waiting(TRAIN_QUEUE) == 1, "the message is in the queue again")
    left_alone(consumer)

    heir = stack.consumer()
    reached(http, too_long, "TASK_RUNNING")
    assert job(http, too_long)["attempt"] == 2
    assert f"[{too_long}] attempt 2" in heir.output()


def test_a_consumer_does_not_wait_for_a_model_that_computes(stack: Stack) -> None:
    _, consumer, http = stack.pair(DRAIN_SECONDS="0.5")
    files = {"model": ("model.onnx", harmful_graphs.endless(ends_at_zero=True))}
    answer = http.put("/models/loop", data={"manifest": json.dumps(LINEAR)}, files=files)
    assert answer.status_code == 201, answer.text
    asked = {"model_id": "loop", "input_data": {"a": 1, "b": 0}}
    job_id = http.post("/predict/async", json=asked).json()["message"]["job_id"]
    reached(http, job_id, "TASK_RUNNING")
    begun = monotonic()
    consumer.terminate()
    assert consumer.wait() == 0
    assert monotonic() - begun < 10  # the model would be let compute for 15
    assert consumer.output().rstrip().endswith("drained")
    assert job(http, job_id)["state"] == "TASK_QUEUED"
    left_alone(consumer)


def test_the_fit_of_a_consumer_that_was_killed_ends_too(stack: Stack) -> None:
    _, consumer, http = stack.pair()
    upload(http)
    orphan = begin(consumer, http, **ENDLESS)
    consumer.kill()
    assert consumer.wait() == -signal.SIGKILL
    left_alone(consumer)
    until(lambda: stack.waiting(TRAIN_QUEUE) == 1, "the message is in the queue again")
    assert job(http, orphan)["attempt"] == 1
