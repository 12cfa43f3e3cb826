"""From many callers in one turn of a loop to a model and back, through a real broker."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from math import ceil

import pytest

from app import errors
from app.amqp.connection import connection_parameters
from app.amqp.topology import PREDICT_QUEUE
from app.consumer.handlers.predict import PredictHandler
from app.consumer.ndjson_batch import split_requests
from app.consumer.threaded_consumer import ThreadedConsumer
from app.observability import tracing
from app.producer.rpc.client import RpcClient
from app.producer.rpc.coalescer import MAX_CALLS, Coalescer
from app.producer.rpc.replies import read_prediction
from tests.support import frames
from tests.support.fakes import HandlerOf, at_once, delivery
from tests.support.spans import recorded

pytestmark = pytest.mark.anyio

ROW = {"a": 0.5, "b": 1.0, "c": -2.0}
MODELS = {name: frames.trained("numeric", name) for name in ("ridge", "linear_regression")}


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}


def find(name):
    if name not in MODELS:
        raise errors.NotFound("model_id", f"there is no model {name}")
    return MODELS[name]


class Keeping:
    """Predicts, and keeps the messages."""

    def __init__(self, **limits):
        self.predict = PredictHandler(at_once(find), lambda *_: "ridge", **limits)
        self.messages = []

    @property
    def lines(self):
        return [len(split_requests(each)) for each in self.messages]

    def __call__(self, deliveries):
        self.messages += deliveries
        return self.predict(deliveries)


@pytest.fixture
def consume(settings):
    """Start a consumer; return its handler."""
    workers = []

    def run(**limits):
        handler = Keeping(**limits)
        parameters = connection_parameters(settings, "worker")
        worker = ThreadedConsumer("worker", parameters, HandlerOf(handler, PREDICT_QUEUE, 32))
        workers.append(worker)
        worker.start()
        return handler

    yield run
    for worker in workers:
        worker.stop()
        worker.join(20)
        assert not worker.is_alive()


@pytest.fixture
def handler(consume):
    return consume()


@asynccontextmanager
async def coalescing(settings):
    client = RpcClient(connection_parameters(settings, "client"))
    client.start()
    try:
        async with asyncio.timeout(20):
            while not await consumed(client):  # noqa: ASYNC110 - nobody sets an event for it
                await asyncio.sleep(0.01)
        yield Coalescer(client, PREDICT_QUEUE, 30.0)
    finally:
        await client.stop()


async def consumed(client):
    try:
        return (await client.count(PREDICT_QUEUE)).consumers
    except errors.BrokerUnavailable:
        return False


def asks(value, name="ridge"):
    return json.dumps({"model_id": name, "input_data": {**ROW, "a": value}}, indent=1).encode()


def predicted(value, name="ridge"):
    (answer,) = MODELS[name].predict([{**ROW, "a": value}])
    return pytest.approx(answer["prediction"])


async def test_two_hundred_who_ask_at_once_share_a_few_messages(settings, handler):
    async with coalescing(settings) as coalescer:
        names = [("ridge", "linear_regression")[number % 2] for number in range(200)]
        calls = [coalescer.call(name, asks(number, name)) for number, name in enumerate(names)]
        answers = await asyncio.gather(*calls)

    for number, (name, answer) in enumerate(zip(names, answers, strict=True)):
        assert read_prediction(answer).model_id == f"numeric-{name}"
        assert read_prediction(answer).prediction == predicted(number, name)
    # The first one waits for nobody; the others share by model.
    assert len(handler.lines) == 1 + 2 * ceil(100 / MAX_CALLS)
    assert sum(handler.lines) == 200


async def test_among_two_hundred_each_gets_their_own_error(settings, handler):
    bad = {7: "gone", 70: "../x", 199: "latest"}
    async with coalescing(settings) as coalescer:
        bodies = [asks(number, bad.get(number, "ridge")) for number in range(200)]
        bodies[9] = json.dumps({"model_id": "ridge", "input_data": {}}).encode()
        answers = await asyncio.gather(
            *(coalescer.call("ridge", body) for body in bodies), return_exceptions=True
        )

    kinds = Counter(type(each) for each in answers)
    assert kinds == {bytes: 197, errors.NotFound: 1, errors.Invalid: 2}
    assert type(answers[7]) is errors.NotFound
    assert answers[9].extra["field"] == "input_data.a"
    assert answers[70].extra["field"] == "model_id"
    assert read_prediction(answers[199]).model_id == "numeric-ridge"
    assert read_prediction(answers[198]).prediction == predicted(198)


async def test_what_has_no_room_in_one_reply_is_answered_all_the_same(settings, consume):
    rows = [{**ROW, "a": float(number)} for number in range(100)]
    body = {"model_id": "ridge", "input_data": rows}
    message = delivery(body)
    Keeping()([message])
    (alone,) = message.channel.published
    handler = consume(reply_bytes=3 * len(alone.body))

    async with coalescing(settings) as coalescer:
        asked = json.dumps(body).encode()
        answers = await asyncio.gather(*(coalescer.call("ridge", asked) for _ in range(5)))

    expected = pytest.approx(read_prediction(alone.body).prediction)
    assert [read_prediction(answer).prediction for answer in answers] == [expected] * 5
    assert handler.lines[:2] == [1, 4]
    assert set(handler.lines[2:]) == {1}


async def test_one_who_asks_alone_sends_a_plain_message_that_expires(settings, handler):
    async with coalescing(settings) as coalescer:
        assert read_prediction(await coalescer.call("ridge", asks(1.0))).prediction == predicted(
            1.0
        )

    (message,) = handler.messages
    assert (message.is_ndjson, message.body) == (False, asks(1.0))
    assert message.deadline


async def test_calls_that_are_sent_together_are_linked_from_one_span(settings, handler):
    with recorded() as spans:
        async with coalescing(settings) as coalescer:

            async def ask(number):
                with tracing.span(f"call {number}", parents=[]):
                    return await coalescer.call("ridge", asks(float(number)))

            await asyncio.gather(*map(ask, range(3)))  # the first one is sent at once
            assert handler.lines == [1, 2]
        found = spans.get_finished_spans()

    calls = {each.name: each.context for each in found if each.name.startswith("call")}
    sent = [each for each in found if each.name == f"send {PREDICT_QUEUE}"]
    alone, joined = sorted(sent, key=lambda each: len(each.links))
    assert (alone.parent, list(alone.links)) == (calls["call 0"], [])
    ids = [joined.parent.span_id, *(each.context.span_id for each in joined.links)]
    assert ids == [calls["call 1"].span_id, calls["call 2"].span_id]
    assert joined.attributes["messaging.batch.message_count"] == 2
