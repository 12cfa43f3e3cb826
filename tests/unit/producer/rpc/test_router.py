import asyncio
import json

import pytest

from app import errors
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE
from app.producer.rpc.router import MAX_REMEMBERED, PredictionRouter
from app.protocol.replies import Failed, Predicted
from app.protocol.types import JSON_MEDIA_TYPE

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}


class FakeRpc:
    """Writes down each call; `replies` holds by queue what is answered, `None` for no answer.

    Each call takes `seconds` by the clock `now`, and no time in truth.
    """

    def __init__(self):
        self.sent = []
        self.now, self.seconds = 0.0, 0.0
        self.replies = {
            PREDICT_QUEUE: Predicted("m", prediction=1),
            INVOKE_QUEUE: Predicted("m", prediction=2),
        }

    def check(self):
        pass

    async def call(self, queue, body, deadline, content_type=JSON_MEDIA_TYPE, traceparents=None):
        self.sent.append((queue, deadline))
        self.now += self.seconds
        reply = self.replies[queue]
        if reply is None:
            await asyncio.Event().wait()
        if isinstance(reply, errors.WarrenError):
            raise reply
        return reply.encode()


@pytest.fixture
async def rpc(anyio_backend):
    return FakeRpc()


@pytest.fixture
def predictions(rpc):
    return PredictionRouter(rpc, 10.0)


async def ask(predictions, model_id="m", **how):
    return json.loads(await predictions.predict((model_id, None), b"{}", **how))["prediction"]


def elsewhere(**extra):
    error = errors.WrongQueue("model_id", "elsewhere", **extra)
    return Failed.of(error, "m")


async def test_a_model_answers_by_the_queue_of_predictions(rpc, predictions):
    assert await ask(predictions) == 1
    assert rpc.sent == [(PREDICT_QUEUE, 10.0)]
    assert not predictions.invokes("m")


@pytest.mark.parametrize(("seconds", "deadline"), [(60.0, 60.0), (1, 10.0), (0.5, 10.0)])
async def test_a_model_that_answers_elsewhere_is_asked_there_from_then_on(
    rpc, predictions, seconds, deadline
):
    rpc.replies[PREDICT_QUEUE] = elsewhere(queue=INVOKE_QUEUE, seconds=seconds)

    assert [await ask(predictions), await ask(predictions)] == [2, 2]
    assert rpc.sent == [(PREDICT_QUEUE, 10.0), (INVOKE_QUEUE, deadline), (INVOKE_QUEUE, deadline)]
    assert predictions.invokes("m")


async def test_what_is_remembered_is_not_asked_for(rpc, predictions):
    predictions.remember("m", 20.0)

    assert await ask(predictions) == 2
    assert await ask(predictions, "other") == 1
    assert rpc.sent == [(INVOKE_QUEUE, 20.0), (PREDICT_QUEUE, 10.0)]


@pytest.mark.parametrize(
    "extra",
    [
        {"queue": "queue.model.train", "seconds": 1.0},
        {"queue": "amq.gen-somebodys", "seconds": 1.0},
        {"queue": None, "seconds": 1.0},
        {"seconds": 1.0},
        {"queue": INVOKE_QUEUE},
        {"queue": INVOKE_QUEUE, "seconds": "1"},
        {"queue": INVOKE_QUEUE, "seconds": 0},
        {"queue": INVOKE_QUEUE, "seconds": 1e9},
    ],
)
async def test_no_other_queue_is_believed_nor_any_deadline(rpc, predictions, extra):
    rpc.replies[PREDICT_QUEUE] = elsewhere(**extra)

    with pytest.raises(errors.WarrenError) as caught:
        await ask(predictions)

    assert type(caught.value) is errors.WarrenError
    assert rpc.sent == [(PREDICT_QUEUE, 10.0)]
    assert not predictions.invokes("m")


async def test_errors_of_the_other_queue_are_raised(rpc, predictions):
    predictions.remember("m", 20.0)
    rpc.replies[INVOKE_QUEUE] = Failed.of(errors.EndpointFailed("it said 500"), "m")

    with pytest.raises(errors.EndpointFailed, match="it said 500"):
        await ask(predictions)


@pytest.mark.parametrize(("seconds", "deadline"), [(5.0, 5.0), (100.0, 20.0), (None, 20.0)])
async def test_a_caller_may_give_a_model_less_time_than_it_has(rpc, predictions, seconds, deadline):
    predictions.remember("m", 20.0)

    await ask(predictions, seconds=seconds)

    assert rpc.sent == [(INVOKE_QUEUE, deadline)]


async def test_a_caller_with_less_time_is_told_when_it_is_over(rpc, predictions):
    rpc.replies[PREDICT_QUEUE] = None

    with pytest.raises(errors.DeadlineExceeded, match=r"within 0\.01 s"):
        await ask(predictions, seconds=0.01)

    use = predictions.usage.recent()["m"]
    assert (use.calls, use.errors, use.ok) == (1, 0, True)


async def test_a_model_that_is_slower_than_it_may_be_does_not_work(rpc, predictions):
    rpc.replies[PREDICT_QUEUE] = errors.DeadlineExceeded("no consumer answered within 10 s")
    for seconds in (None, 10.0, 60.0):
        with pytest.raises(errors.DeadlineExceeded):
            await ask(predictions, seconds=seconds)

    use = predictions.usage.recent()["m"]
    assert (use.calls, use.errors, use.ok) == (3, 3, False)


@pytest.mark.parametrize(("seconds", "left"), [(2.0, 1.25), (0.5, 0.0), (None, 10.0)])
async def test_what_the_first_way_takes_is_missing_at_the_second(rpc, seconds, left):
    rpc.seconds = 0.75
    rpc.replies[PREDICT_QUEUE] = elsewhere(queue=INVOKE_QUEUE, seconds=5.0)

    await ask(PredictionRouter(rpc, 10.0, clock=lambda: rpc.now), seconds=seconds)

    assert rpc.sent == [(PREDICT_QUEUE, 10.0), (INVOKE_QUEUE, left)]


async def test_what_is_remembered_is_bounded(predictions):
    for number in range(MAX_REMEMBERED + 10):
        predictions.remember(str(number), 1.0)

    assert not predictions.invokes("0")
    assert predictions.invokes(str(MAX_REMEMBERED + 9))
    assert predictions.invokes("10")


async def test_calls_are_counted_by_the_model_that_answered(rpc, predictions):
    await ask(predictions)
    await ask(predictions, "latest")
    await ask(predictions, "other")

    used = predictions.usage.recent()
    assert {name: use.calls for name, use in used.items()} == {"m": 2, "other": 1}
    assert all(use.ok and not use.errors and use.elapsed > 0 for use in used.values())


async def test_the_last_answer_says_whether_a_model_works(rpc, predictions):
    good = rpc.replies[PREDICT_QUEUE]
    rpc.replies[PREDICT_QUEUE] = Failed.of(errors.Corrupt("sha256 differs"), "m")
    with pytest.raises(errors.Corrupt):
        await ask(predictions)
    use = predictions.usage.recent()["m"]
    assert (use.calls, use.errors, use.ok, use.error) == (1, 1, False, "sha256 differs")

    rpc.replies[PREDICT_QUEUE] = good
    await ask(predictions)
    assert (use.calls, use.errors, use.ok, use.error) == (2, 1, True, "sha256 differs")


@pytest.mark.parametrize(
    "error",
    [errors.Invalid, errors.Malformed, errors.TooLarge, errors.Overloaded, errors.Unroutable],
)
async def test_what_says_nothing_of_a_model_changes_nothing_but_the_count(rpc, predictions, error):
    rpc.replies[PREDICT_QUEUE] = errors.Corrupt("bad")
    with pytest.raises(errors.Corrupt):
        await ask(predictions)
    rpc.replies[PREDICT_QUEUE] = error("not its fault")
    with pytest.raises(error):
        await ask(predictions)

    use = predictions.usage.recent()["m"]
    assert (use.calls, use.errors, use.ok, use.error) == (2, 1, False, "bad")


@pytest.mark.parametrize("error", [errors.NotFound, errors.NotReady])
async def test_what_is_no_model_is_not_in_use(rpc, predictions, error):
    rpc.replies[PREDICT_QUEUE] = Failed.of(error("no"), "m")

    with pytest.raises(error):
        await ask(predictions)

    assert predictions.usage.recent() == {}
