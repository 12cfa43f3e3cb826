import asyncio
import gc
import gzip
import json
from time import monotonic, process_time

import pytest

from app import errors
from app.amqp.message import Disposition
from app.consumer.handlers.predict_remote import RemotePredictHandler
from app.models.endpoint import EndpointSpec
from app.remote.client import RemoteModelClient
from app.settings import Settings
from tests.support.fakes import FakeSession, delivery
from tests.support.rows import model_record

pytestmark = pytest.mark.anyio


def call(body=None, **changes):
    return delivery(body or {"model_id": "m", "input_data": {"a": 1}}, **changes)


class Registry:
    """Knows one model at most."""

    def __init__(self, record=None):
        self.record = record

    async def find(self, model_id, dataset_id):
        if self.record is None:
            raise errors.NotFound(None, "there is none")
        return self.record


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def invoke():
    return RemotePredictHandler(Registry(), RemoteModelClient(Settings(_env_file=None)))


async def test_what_nobody_waits_for_is_not_answered(invoke):
    late = call(deadline=monotonic())
    await invoke(late)
    assert late.channel.published == []
    assert late.disposition is Disposition.ACK


async def test_a_call_without_a_callback_queue_is_carried_out_and_not_answered(invoke):
    mute = call(reply_to=None)
    await invoke(mute)
    assert mute.channel.published == []


class Mirror:
    """A remote model that answers with what it is asked."""

    async def predict(self, model_id, spec, inputs, seconds, *, size):
        return {"prediction": inputs.input_data}


def mirrored(rows):
    """Return a handler, and a call that asks it."""
    record = model_record("m", EndpointSpec(url="http://localhost/"))
    made = delivery({"model_id": "m", "input_data": rows})
    return RemotePredictHandler(Registry(record), Mirror()), made


@pytest.mark.parametrize("size", [1, 100, 101, 10_000])
async def test_large_bodies_are_read_and_answered_like_others(size):
    rows = [{"a": number + 0.5, "b": None} for number in range(size)]
    handler, made = mirrored(rows)
    await handler(made)
    (sent,) = made.channel.published
    assert json.loads(sent.body)["prediction"] == rows


async def test_while_a_large_body_is_read_and_written_others_have_their_turns():
    handler, made = mirrored([{f"f{n}": n + 0.5 for n in range(20)}] * 9_000)
    waits = []

    async def tick():
        while True:
            began = process_time()  # which stands still while the machine does something else
            await asyncio.sleep(0)
            waits.append(process_time() - began)

    gc.disable()  # or a look through all that the tests keep is a wait, too
    try:
        ticking = asyncio.create_task(tick())
        began = process_time()
        await handler(made)
        took = process_time() - began
        await asyncio.sleep(0)
        ticking.cancel()
    finally:
        gc.enable()
    assert max(waits) < took / 5


@pytest.mark.parametrize("size", [1, 200_000])
async def test_what_is_no_request_is_refused_whatever_its_size(invoke, size):
    made = delivery(b"[" + b" " * size)
    await invoke(made)
    (sent,) = made.channel.published
    assert json.loads(sent.body)["error"]["type"] == "malformed"
    assert made.disposition is Disposition.REJECT
    assert invoke.in_flight == []


async def test_nothing_is_kept_of_a_call_that_is_done(invoke):
    await invoke(call())
    assert invoke.in_flight == []


class Endpoint(Mirror):
    """Holds each call until `gate` is open; counts them."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.begun = asyncio.Semaphore(0)
        self.calls = 0

    async def predict(self, *asked, **options):
        self.calls += 1
        self.begun.release()
        await self.gate.wait()
        return await super().predict(*asked, **options)


@pytest.mark.parametrize("names", [{}, {"reply_to": None}, {"message_id": "a"}])
async def test_calls_that_are_alike_and_come_again_go_on_and_each_is_settled_once(names):
    endpoint = Endpoint()
    record = model_record("m", EndpointSpec(url="http://localhost/"))
    handler = RemotePredictHandler(Registry(record), endpoint)
    lost, now = FakeSession(), FakeSession()
    calls = [call(channel=lost, replies=now, delivery_tag=n, **names) for n in (1, 2)]
    tasks = [asyncio.create_task(handler(each)) for each in calls]
    for _ in calls:
        await endpoint.begun.acquire()
    lost.alive = False

    again = [call(channel=now, delivery_tag=n, redelivered=True, **names) for n in (3, 4)]
    for each in again:
        await handler(each)
    endpoint.gate.set()
    await asyncio.gather(*tasks)
    for each in (*calls, *again):
        each.settle()

    assert endpoint.calls == 2
    assert sorted(tag for tag, _ in now.settled) == [3, 4]
    assert len(now.replies) == (0 if "reply_to" in names else 2)
    assert handler.in_flight == []


async def test_a_call_of_another_message_is_not_its_redelivery():
    endpoint = Endpoint()
    endpoint.gate.set()
    record = model_record("m", EndpointSpec(url="http://localhost/", idempotent=True))
    handler = RemotePredictHandler(Registry(record), endpoint)
    for name in ("a", "b"):
        await handler(call(message_id=name, redelivered=True))

    assert endpoint.calls == 2


async def test_a_call_of_another_user_is_not_its_redelivery():
    endpoint = Endpoint()
    record = model_record("m", EndpointSpec(url="http://localhost/", idempotent=True))
    handler = RemotePredictHandler(Registry(record), endpoint)
    lost = FakeSession()
    tasks = [asyncio.create_task(handler(call(channel=lost, user_id="red")))]
    await endpoint.begun.acquire()
    lost.alive = False

    tasks.append(asyncio.create_task(handler(call(redelivered=True, user_id="blue"))))
    await asyncio.wait_for(endpoint.begun.acquire(), 10)
    endpoint.gate.set()
    await asyncio.gather(*tasks)

    assert endpoint.calls == 2


async def test_calls_in_flight_have_so_many_bytes_and_the_next_one_is_told_to_ask_again():
    endpoint = Endpoint()
    record = model_record("m", EndpointSpec(url="http://localhost/"))
    size = len(call().body)
    handler = RemotePredictHandler(Registry(record), endpoint, max_bytes=2 * size)
    first = [asyncio.create_task(handler(call())) for _ in range(2)]
    for _ in first:
        await endpoint.begun.acquire()
    packed = call(body=gzip.compress(call().body), encoding="gzip")
    again = call(redelivered=True)

    await handler(packed)
    await handler(again)
    endpoint.gate.set()
    await asyncio.gather(*first)
    later = call()
    await handler(later)

    error = packed.channel.replies[0]["error"]
    assert (error["type"], packed.disposition) == ("overloaded", Disposition.ACK)
    assert f"{2 * size} bytes" in error["detail"]
    assert "may have been carried out" in again.channel.replies[0]["error"]["detail"]
    assert later.channel.replies[0]["status"] == "TASK_COMPLETED"
    assert endpoint.calls == 3


async def test_an_encoded_call_is_decoded():
    handler, made = mirrored({"a": 1})
    made.body, made.encoding = gzip.compress(made.body), "gzip"

    await handler(made)

    assert made.channel.replies[0]["prediction"] == {"a": 1}


async def test_a_call_that_cannot_be_decoded_is_answered_and_rejected(invoke):
    made = call(encoding="brotli")

    await invoke(made)

    assert made.channel.replies[0]["error"]["type"] == "unsupported"
    assert made.disposition is Disposition.REJECT
