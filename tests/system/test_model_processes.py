"""The process of a model that scikit-learn answers: it is replaced, and ends with its consumer."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.support.family import statuses
from tests.system.support.client import ROW, is_problem, predict, trained, upload
from tests.system.support.processes import Process, Stack, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture
def answering(stack: Stack) -> tuple[Process, httpx2.Client, str, int]:
    """A consumer, a client, a model that has answered, and the process that answers for it."""
    _, consumer, http = stack.pair()
    upload(http)
    model_id = trained(http, estimator="knn_regressor", params={"weights": "distance"})
    before = consumer.family()
    predict(http, model_id)
    (child,) = consumer.family() - before
    return consumer, http, model_id, child


def test_a_model_whose_process_was_killed_answers_again_by_another(
    answering: tuple[Process, httpx2.Client, str, int],
) -> None:
    _, http, model_id, child = answering
    expected = predict(http, model_id)["prediction"]

    os.kill(child, signal.SIGKILL)
    # Its first thread may have ended before the others, which hold the pipe until they end.
    until(lambda: not Path(f"/proc/{child}").exists(), "the process has ended")

    assert predict(http, model_id)["prediction"] == expected


@pytest.mark.slow
def test_a_process_that_hangs_is_a_504_and_is_replaced(
    answering: tuple[Process, httpx2.Client, str, int],
) -> None:
    consumer, http, model_id, child = answering

    os.kill(child, signal.SIGSTOP)
    answer = http.post("/predict", json={"model_id": model_id, "input_data": ROW})

    is_problem(answer, 504)
    until(lambda: child not in consumer.family(), "the process is killed")
    assert predict(http, model_id)["prediction"] > 0


@pytest.mark.parametrize("end", [Process.terminate, Process.interrupt, Process.kill])
def test_the_process_ends_with_its_consumer(
    end: Callable[[Process], None], answering: tuple[Process, httpx2.Client, str, int]
) -> None:
    consumer, *_, child = answering
    members = consumer.family()
    assert child in members

    end(consumer)

    status = consumer.wait()
    assert status == (-signal.SIGKILL if end is Process.kill else 0)
    until(lambda: not members & statuses().keys(), "nobody is left")
