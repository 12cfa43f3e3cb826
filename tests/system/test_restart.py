"""Much work at once, and the consumer restarted in the middle of it."""

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, TRAIN_QUEUE
from devstack.demo import ROW
from tests.system.support.client import PREDICTION, is_problem, reached, train, trained, upload
from tests.system.support.processes import SECONDS, Process, Stack, until

PLAIN_HTTP = True  # it speaks HTTP by itself

TRAININGS = 8  # at once
CONNECTIONS = 64  # by which predictions are asked, one after the other
ENOUGH = 200  # predictions, before the restart and after it

# What CPython's fork server says if its consumer is killed in the middle of a request to it.
FORK_SERVER_ENDED = re.compile(
    r"^Traceback[^\n]*\n(?:  [^\n]*\n)*  [^\n]*forkserver\.py[^\n]*\n"
    r"(?:  [^\n]*\n)*  [^\n]* in recvfds\n(?:  [^\n]*\n)*EOFError\n",
    re.MULTILINE,
)


class Load(threading.Thread):
    """Asks for predictions from entering to leaving; `answers` has all that came."""

    def __init__(self, address: httpx2.URL, model_id: str) -> None:
        super().__init__(name="load", daemon=True)
        self.answers: list[httpx2.Response] = []
        self._address = address
        self._body = {"model_id": model_id, "input_data": ROW}
        self._stopping = threading.Event()

    def run(self) -> None:
        asyncio.run(self._ask_all())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self.join()

    def until_answered(self) -> None:
        """Wait for the answers to more predictions."""
        before = self._good()
        until(lambda: self._good() >= before + ENOUGH, "predictions are answered")

    def _good(self) -> int:
        return sum(answer.status_code == 200 for answer in self.answers)

    async def _ask_all(self) -> None:
        async with httpx2.AsyncClient(
            base_url=self._address, timeout=SECONDS, trust_env=False
        ) as http:
            await asyncio.gather(*(self._ask(http) for _ in range(CONNECTIONS)))

    async def _ask(self, http: httpx2.AsyncClient) -> None:
        while not self._stopping.is_set():
            self.answers.append(await http.post("/predict", json=self._body))


def running(http: httpx2.Client) -> list[Any]:
    return list(http.get("/jobs", params={"state": "TASK_RUNNING"}).json()["jobs"])


def drain(consumer: Process, http: httpx2.Client) -> None:
    """End a consumer that trains, as a deployment does."""
    until(lambda: running(http), "a training runs")
    consumer.terminate()
    assert consumer.wait() == 0


def crash(consumer: Process, http: httpx2.Client) -> None:
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
    end: Callable[[Process, httpx2.Client], None], attempts: set[int], stack: Stack
) -> None:
    _, consumer, http = stack.pair()
    upload(http)
    model_id = trained(http)
    with Load(http.base_url, model_id) as load, ThreadPoolExecutor(TRAININGS) as clients:
        load.until_answered()
        asked = [clients.submit(train, http) for _ in range(TRAININGS)]
        end(consumer, http)
        stack.consumer()
        jobs = [each.result() for each in asked]
        load.until_answered()

    ended = [reached(http, each, "TASK_COMPLETED") for each in jobs]
    assert {each["attempt"] for each in ended} == attempts
    assert len({each["metrics"]["rmse"] for each in ended}) == 1

    for answer in load.answers:
        if answer.status_code != 200:
            assert is_problem(answer, answer.status_code)["status"] in (503, 504)
            continue
        assert answer.json()["message"]["prediction"] == pytest.approx(PREDICTION, abs=0.00005)
    until(lambda: stack.waiting(TRAIN_QUEUE) == 0, "all messages are settled")
    assert stack.waiting(DEAD_LETTER_QUEUE) == 0
    assert "Traceback" not in FORK_SERVER_ENDED.sub("", stack.output())
