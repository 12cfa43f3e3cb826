"""The Python client over the broker, without HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import Queue
from time import sleep

import numpy as np
import pandas as pd
import pytest

from devstack.demo import TRAIN
from devstack.rabbitmq import Broker as Server
from tests.chaos.loop import Loop
from tests.chaos.proxy import Mode, Proxy
from tests.support.frames import diabetes
from tests.support.wire import close_connection
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.amqp import address_of_broker
from tests.system.support.client import RMSE, upload
from warren_client import errors
from warren_client.amqp import CONNECTION, Broker

pytestmark = pytest.mark.plain  # its addresses are not encrypted

COMMAND = gated.COMMAND
OPTIONS = {name: value for name, value in TRAIN.items() if name not in ("dataset_id", "target")}


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[Broker]:
    upload(running.http)
    with Broker(address_of_broker(running.stack.environment)) as made:
        yield made
    assert "Traceback" not in running.stack.output()


@pytest.fixture(scope="module")
def model_id(client: Broker) -> str:
    reply = client.train(TRAIN["dataset_id"], TRAIN["target"], message_id="first", **OPTIONS)
    assert reply["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.005)
    again = client.train(TRAIN["dataset_id"], TRAIN["target"], message_id="first", **OPTIONS)
    assert again["model_id"] == reply["model_id"]
    return str(reply["model_id"])


def test_a_frame_gets_what_http_answers(client: Broker, running: Running, model_id: str) -> None:
    frame = pd.concat([diabetes()] * 30)  # more rows than a request may have, and a column more
    found = client.predict(model_id, frame)
    assert found.index.equals(frame.index)
    rows = frame.iloc[:9].drop(columns="target").to_dict("records")
    asked = {"model_id": model_id, "input_data": rows, "extra": "ignore"}
    there = running.http.post("/predict", json=asked).json()["message"]["prediction"]
    assert np.array_equal(found.iloc[:9], there)


def test_errors_are_typed(client: Broker, model_id: str) -> None:
    with pytest.raises(errors.NotFound):
        client.predict("nobody", {"a": 1})
    with pytest.raises(errors.Invalid) as caught:
        client.predict(model_id, {"a": 1})
    assert caught.value.field
    with pytest.raises(errors.BadData, match="none"):
        client.train(TRAIN["dataset_id"], "none")
    with pytest.raises(errors.WaitTimeout):
        client.train(TRAIN["dataset_id"], TRAIN["target"], timeout=0)


def test_a_lost_connection_is_made_anew(client: Broker, model_id: str) -> None:
    row = diabetes().drop(columns="target").iloc[0]
    first = client.predict(model_id, row)
    client.close()
    assert client.predict(model_id, row) == first


def test_a_connection_that_is_lost_in_the_middle_of_a_training_makes_no_second_job(
    client: Broker, running: Running, broker: Server
) -> None:
    upload(running.http, gated.HELD)
    client.close()  # so that the next connection is the only one of this name
    with ThreadPoolExecutor(1) as thread:
        trained = thread.submit(client.train, gated.HELD, TRAIN["target"], timeout=60, **OPTIONS)
        running.consumer.says("holding ")
        job_id = running.http.get("/jobs?state=TASK_RUNNING").json()["jobs"][0]["id"]
        close_connection(broker, CONNECTION)
        running.stack.let_go(job_id)
        reply = trained.result()
    assert (reply["model_id"], reply["status"]) == (job_id, "TASK_COMPLETED")
    assert reply["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.005)
    jobs = running.http.get("/jobs", params={"dataset_id": gated.HELD}).json()["jobs"]
    assert [each["id"] for each in jobs] == [job_id]


def test_a_broker_that_is_away_in_the_middle_of_a_training_is_awaited(running: Running) -> None:
    upload(running.http, gated.HELD)
    environment = running.stack.environment
    with closing(Loop()) as loop, ThreadPoolExecutor(1) as thread:
        proxy, away = Proxy(loop, int(environment["RABBITMQ_PORT"])), Mode(refuse=True)
        through = {**environment, "RABBITMQ_PORT": str(proxy.port)}
        pauses: Queue[float] = Queue()

        def pause(seconds: float) -> None:
            pauses.put(seconds)
            sleep(seconds / 10)

        with Broker(address_of_broker(through), sleep=pause) as client:
            told = len(running.consumer.output().split("holding "))
            trained = thread.submit(client.train, gated.HELD, TRAIN["target"], **OPTIONS)
            running.consumer.says("holding ", times=told)
            job_id = running.http.get("/jobs?state=TASK_RUNNING").json()["jobs"][0]["id"]
            proxy.add(away)
            proxy.cut()
            for _ in range(4):  # more pauses than a broker has that was never there
                pauses.get(timeout=60)
            proxy.remove(away)
            running.stack.let_go(job_id)
            reply = trained.result()
        proxy.close()
    assert (reply["model_id"], reply["status"]) == (job_id, "TASK_COMPLETED")
