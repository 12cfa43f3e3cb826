"""The Python client over the broker, without HTTP."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from devstack.demo import TRAIN
from tests.support.frames import diabetes
from tests.system.conftest import Running
from tests.system.support.amqp import address_of_broker
from tests.system.support.client import RMSE, upload
from warren_client import errors
from warren_client.amqp import Broker

pytestmark = pytest.mark.plain  # its addresses are not encrypted

OPTIONS = {name: value for name, value in TRAIN.items() if name not in ("dataset_id", "target")}


@pytest.fixture(scope="module")
def broker(running: Running) -> Iterator[Broker]:
    upload(running.http)
    with Broker(address_of_broker(running.stack.environment)) as made:
        yield made
    assert "Traceback" not in running.stack.output()


@pytest.fixture(scope="module")
def model_id(broker: Broker) -> str:
    reply = broker.train(TRAIN["dataset_id"], TRAIN["target"], message_id="first", **OPTIONS)
    assert reply["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.005)
    again = broker.train(TRAIN["dataset_id"], TRAIN["target"], message_id="first", **OPTIONS)
    assert again["model_id"] == reply["model_id"]
    return str(reply["model_id"])


def test_a_frame_gets_what_http_answers(broker: Broker, running: Running, model_id: str) -> None:
    frame = pd.concat([diabetes()] * 30)  # more rows than a request may have, and a column more
    found = broker.predict(model_id, frame)
    assert found.index.equals(frame.index)
    rows = frame.iloc[:9].drop(columns="target").to_dict("records")
    asked = {"model_id": model_id, "input_data": rows, "extra": "ignore"}
    there = running.http.post("/predict", json=asked).json()["message"]["prediction"]
    assert np.array_equal(found.iloc[:9], there)


def test_errors_are_typed(broker: Broker, model_id: str) -> None:
    with pytest.raises(errors.NotFound):
        broker.predict("nobody", {"a": 1})
    with pytest.raises(errors.Invalid) as caught:
        broker.predict(model_id, {"a": 1})
    assert caught.value.field
    with pytest.raises(errors.BadData, match="none"):
        broker.train(TRAIN["dataset_id"], "none")
    with pytest.raises(errors.WaitTimeout):
        broker.train(TRAIN["dataset_id"], TRAIN["target"], timeout=0)


def test_a_lost_connection_is_made_anew(broker: Broker, model_id: str) -> None:
    row = diabetes().drop(columns="target").iloc[0]
    first = broker.predict(model_id, row)
    broker.close()
    assert broker.predict(model_id, row) == first
