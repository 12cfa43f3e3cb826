"""Much work at once, and the consumer restarted in the middle of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.queues import DEAD
from app.queues import TRAIN as TRAIN_QUEUE
from scripts.demo import ROW, TRAIN
from tests.acceptance.client import PREDICTION, is_problem, reached, trained, upload
from tests.acceptance.processes import SECONDS, Process, Stack, until

TRAININGS = 8
PREDICTIONS = 2000
CONNECTIONS = 64


class Load:
    """All requests at once, over a bounded number of connections."""

    def __init__(self, address: httpx.URL) -> None:
        self.answers: list[httpx.Response] = []
        self._address = address
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def run(self, model_id: str, meanwhile: Callable[[], None]) -> list[str]:
        """Send everything, do something else in the middle of it; return the ids of the jobs."""
        async with httpx.AsyncClient(
            base_url=self._address, timeout=SECONDS, trust_env=False
        ) as http:
            accepted = [http.post("/train", json=TRAIN) for _ in range(TRAININGS)]
            asked = [self._ask(http, model_id) for _ in range(PREDICTIONS)]
            *_, jobs, _ = await asyncio.gather(
                asyncio.to_thread(meanwhile), asyncio.gather(*accepted), asyncio.gather(*asked)
            )
        assert [each.status_code for each in jobs] == [202] * TRAININGS
        return [each.json()["message"]["model_id"] for each in jobs]

    async def _ask(self, http: httpx.AsyncClient, model_id: str) -> None:
        async with self._turns:  # httpx takes long over a long queue of its own
            answer = await http.post("/predict", json={"model_id": model_id, "input_data": ROW})
        self.answers.append(answer)


def running(http: httpx.Client) -> list[Any]:
    return list(http.get("/jobs", params={"state": "TASK_RUNNING"}).json()["jobs"])


def drain(consumer: Process, http: httpx.Client) -> None:
    """End a consumer that trains, as a deployment does."""
    until(lambda: running(http), "a training runs")
    consumer.terminate()
    assert consumer.wait() == 0


def crash(consumer: Process, http: httpx.Client) -> None:
    """End a consumer that trains, as a lack of memory does."""

    def caught() -> bool:
        consumer.freeze()  # so that the training cannot end between the look and the kill
        if running(http):
            return True
        consumer.thaw()
        return False

    until(caught, "a training runs")
    consumer.kill()
    consumer.wait()


@pytest.mark.parametrize(("end", "attempts"), [(drain, {1}), (crash, {1, 2})])
def test_no_training_and_no_prediction_is_lost_when_the_consumer_is_restarted(
    end: Callable[[Process, httpx.Client], None], attempts: set[int], stack: Stack
) -> None:
    _, consumer, http = stack.pair()
    upload(http)
    model_id = trained(http)
    load = Load(http.base_url)

    def restart() -> None:
        until(lambda: len(load.answers) > PREDICTIONS / 10, "predictions are answered")
        end(consumer, http)
        assert len(load.answers) < PREDICTIONS
        stack.consumer()

    jobs = asyncio.run(load.run(model_id, restart))

    ended = [reached(http, each, "TASK_COMPLETED") for each in jobs]
    assert {each["attempt"] for each in ended} == attempts
    assert len({each["metrics"]["rmse"] for each in ended}) == 1

    assert len(load.answers) == PREDICTIONS
    for answer in load.answers:
        if answer.status_code != 200:
            assert is_problem(answer, answer.status_code)["status"] in (503, 504)
            continue
        assert answer.json()["message"]["prediction"] == pytest.approx(PREDICTION, abs=0.00005)
    until(lambda: stack.waiting(TRAIN_QUEUE) == 0, "all messages are settled")
    assert stack.waiting(DEAD) == 0
    assert "Traceback" not in stack.output()
