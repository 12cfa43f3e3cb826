import asyncio
import gc
import json
import weakref

import pytest

from app import errors
from app.producer.rpc.coalescer import MAX_BYTES, MAX_CALLS, Coalescer
from app.protocol.replies import Failed, Predicted
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE

pytestmark = pytest.mark.anyio

MODEL = "m"
BUSY = b'"busy"'


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}


def answered(body):
    """The reply of a consumer that predicts the request itself."""
    return Predicted("m", prediction=json.loads(body)).encode()


def refused(error):
    return Failed.of(error, "m").encode()


class FakeRpc:
    """Writes down each message, and has `reply` answer each line of it.

    `sent` messages wait while `gate` is clear; `BUSY` waits until `busy` is set, and is not noted.
    """

    def __init__(self):
        self.sent = []
        self.reply = answered
        self.away = None
        self.failed = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.busy = asyncio.Event()

    @property
    def kinds(self):
        return [kind for kind, _ in self.sent]

    @property
    def bodies(self):
        return [body for _, body in self.sent]

    def check(self):
        if self.away:
            raise self.away

    async def call(self, queue, body, deadline, content_type=JSON_MEDIA_TYPE, traceparents=None):
        assert (queue, deadline) == ("q", 10.0)
        if body == BUSY:
            await self.busy.wait()
            return answered(body)
        self.sent.append((content_type, body))
        await self.gate.wait()
        self.failed = self.away is not None
        self.check()
        lines = body.split(b"\n") if content_type == NDJSON_MEDIA_TYPE else [body]
        return b"\n".join(map(self.reply, lines))


@pytest.fixture
async def rpc(anyio_backend):
    return FakeRpc()


@pytest.fixture
async def coalescer(rpc):
    """One with a call in flight, so that others are coalesced."""
    coalescer = Coalescer(rpc, "q", 10.0)
    call = asyncio.create_task(coalescer.call("another", BUSY))
    await asyncio.sleep(0)
    yield coalescer
    rpc.busy.set()
    assert await call == answered(BUSY)


@pytest.fixture
def idle(rpc):
    return Coalescer(rpc, "q", 10.0)


async def asked(coalescer, bodies):
    """Ask in one turn of the loop; return the answers and the errors."""
    return await asyncio.gather(
        *(coalescer.call(MODEL, body) for body in bodies), return_exceptions=True
    )


async def until(ask):
    """Let the loop go on until it is so."""
    while not ask():  # noqa: ASYNC110 - nobody sets an event for what is asked
        await asyncio.sleep(0)


def numbers(count):
    return [b"%d" % number for number in range(count)]


async def test_the_calls_of_a_turn_are_one_message_and_get_their_own_answers(rpc, coalescer):
    answers = await asked(coalescer, numbers(10))

    assert rpc.sent == [(NDJSON_MEDIA_TYPE, b"\n".join(numbers(10)))]
    assert answers == [answered(body) for body in numbers(10)]


async def test_a_lonely_call_is_a_plain_message(rpc, coalescer):
    body = b'{\n "a": 1\n}'

    assert await coalescer.call(MODEL, body) == answered(body)

    assert rpc.sent == [(JSON_MEDIA_TYPE, body)]


async def test_a_call_waits_for_no_other_while_none_is_under_way(rpc, idle):
    rpc.gate.clear()
    calls = [asyncio.create_task(idle.call(MODEL, body)) for body in numbers(4)]
    await asyncio.sleep(0)  # a turn

    assert rpc.sent == [(JSON_MEDIA_TYPE, b"0")]

    rpc.gate.set()
    assert [await call for call in calls] == [answered(body) for body in numbers(4)]
    assert rpc.sent == [(JSON_MEDIA_TYPE, b"0"), (NDJSON_MEDIA_TYPE, b"1\n2\n3")]


async def test_calls_to_different_models_share_no_message(rpc, coalescer):
    asks = [coalescer.call(model, body) for model in "ab" for body in numbers(2)]

    assert await asyncio.gather(*asks) == [answered(body) for body in numbers(2) * 2]

    assert rpc.sent == [(NDJSON_MEDIA_TYPE, b"0\n1")] * 2


async def test_the_calls_of_two_turns_are_two_messages(rpc, coalescer):
    rpc.gate.clear()
    first = asyncio.create_task(asked(coalescer, numbers(2)))
    await until(lambda: rpc.sent)
    second = asyncio.create_task(asked(coalescer, numbers(3)))
    await until(lambda: len(rpc.sent) == 2)
    rpc.gate.set()

    assert [len(await first), len(await second)] == [2, 3]
    assert rpc.bodies == [b"0\n1", b"0\n1\n2"]


async def test_a_body_of_many_lines_is_one_line(rpc, coalescer):
    bodies = [b'{\n "a":\r\n "\\n"\n}\n', b"[1,\n2]", b"\n3"]

    answers = await asked(coalescer, bodies)

    ((_, message),) = rpc.sent
    assert len(message.split(b"\n")) == 3
    assert [json.loads(each)["prediction"] for each in answers] == [{"a": "\n"}, [1, 2], 3]


async def test_a_message_has_only_so_many_lines(rpc, coalescer):
    count = 2 * MAX_CALLS + 1

    answers = await asked(coalescer, numbers(count))

    assert [len(body.split(b"\n")) for body in rpc.bodies] == [MAX_CALLS, MAX_CALLS, 1]
    assert rpc.kinds == [NDJSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, JSON_MEDIA_TYPE]
    assert answers == [answered(body) for body in numbers(count)]


async def test_a_message_has_only_so_many_bytes(rpc, coalescer):
    half, whole = (b'"%s"' % (b"x" * (size - 2)) for size in (MAX_BYTES // 2, 3 * MAX_BYTES))
    bodies = [half, half, b"1", b"2", whole, b"3"]

    answers = await asked(coalescer, bodies)

    assert rpc.bodies == [half + b"\n" + half, b"1\n2", whole, b"3"]
    assert answers == [answered(body) for body in bodies]


async def test_a_bad_line_fails_alone_with_its_own_error(rpc, coalescer):
    error = errors.Invalid("input_data.b", "missing b")
    rpc.reply = lambda line: refused(error) if line == b"1" else answered(line)

    first, bad, last = await asked(coalescer, numbers(3))

    assert (first, last) == (answered(b"0"), answered(b"2"))
    assert type(bad) is errors.Invalid
    assert bad.to_wire() == error.to_wire()


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"status": "DONE"}', b'{"status": NaN}', b" "])
async def test_a_line_that_is_no_reply_fails_alone(rpc, coalescer, line):
    rpc.reply = lambda body: line if body == b"1" else answered(body)

    first, bad, last = await asked(coalescer, numbers(3))

    assert (first, last) == (answered(b"0"), answered(b"2"))
    assert type(bad) is errors.WarrenError


async def test_a_prediction_that_is_written_otherwise_is_handed_on_as_it_came(rpc, coalescer):
    rpc.reply = lambda body: b'{ "prediction": 1, "status": "TASK_COMPLETED" }'

    assert await coalescer.call(MODEL, b"1") == b'{ "prediction": 1, "status": "TASK_COMPLETED" }'


def each_has_its_own(found, error):
    """Check that all got this error, and no two of them the same object."""
    assert [type(each) for each in found] == [type(error)] * len(found)
    assert [each.to_wire() for each in found] == [error.to_wire()] * len(found)
    assert len({id(each) for each in found}) == len(found)


async def test_what_happens_to_a_message_reaches_all_its_callers(rpc, coalescer):
    error = errors.DeadlineExceeded("no consumer answered within 10 s")

    async def call(*_):
        raise error

    rpc.call = call

    each_has_its_own(await asked(coalescer, numbers(5)), error)


async def test_one_error_that_answers_a_whole_message_reaches_all_its_callers(rpc, coalescer):
    error = errors.NotReady(None, "in training", state="TASK_RUNNING")

    async def call(*_):
        return refused(error)

    rpc.call = call

    each_has_its_own(await asked(coalescer, numbers(5)), error)


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_a_wrong_number_of_replies_is_an_error_of_all(rpc, coalescer, count):
    async def call(*_):
        return b"\n".join([answered(b"1")] * count)

    rpc.call = call

    found = await asked(coalescer, numbers(3))

    assert [type(each) for each in found] == [errors.WarrenError] * 3


async def test_no_reply_to_a_lonely_call_is_an_error(rpc, coalescer):
    rpc.reply = lambda body: b""

    (found,) = await asked(coalescer, [b"1"])

    assert type(found) is errors.WarrenError


def without_room(line_for_it):
    """Answer all but the request 1, for which there is room only in a message of its own."""

    async def call(self, queue, body, deadline, content_type=JSON_MEDIA_TYPE, traceparents=None):
        self.sent.append((content_type, body))
        if body == b"1":
            return line_for_it()
        return b"\n".join(b"" if line == b"1" else answered(line) for line in body.split(b"\n"))

    return call


async def test_what_had_no_room_in_the_reply_is_asked_again_alone(rpc, coalescer):
    rpc.call = without_room(lambda: answered(b"1")).__get__(rpc)

    answers = await asked(coalescer, numbers(3))

    assert answers == [answered(body) for body in numbers(3)]
    assert rpc.sent == [(NDJSON_MEDIA_TYPE, b"0\n1\n2"), (JSON_MEDIA_TYPE, b"1")]


async def test_what_is_asked_again_in_vain_fails_alone(rpc, coalescer):
    def fail():
        raise errors.DeadlineExceeded

    rpc.call = without_room(fail).__get__(rpc)

    first, again, last = await asked(coalescer, numbers(3))

    assert (first, last) == (answered(b"0"), answered(b"2"))
    assert type(again) is errors.DeadlineExceeded


async def test_a_bug_leaves_nobody_waiting(rpc, coalescer, caplog):
    async def call(*_):
        raise KeyError("secret")

    rpc.call = call

    found = await asked(coalescer, numbers(3))

    assert [type(each) for each in found] == [errors.WarrenError] * 3
    assert "secret" not in str(found)
    assert "secret" in caplog.text


@pytest.mark.parametrize("sent", [False, True])
async def test_a_caller_that_goes_away_harms_nobody(rpc, coalescer, sent):
    rpc.gate.clear()
    calls = [asyncio.create_task(coalescer.call(MODEL, body)) for body in numbers(3)]
    await asyncio.sleep(0)  # all three have asked
    await until(lambda: bool(rpc.sent) >= sent)
    calls[1].cancel()
    rpc.gate.set()

    first, gone, last = await asyncio.gather(*calls, return_exceptions=True)

    assert (first, last) == (answered(b"0"), answered(b"2"))
    assert isinstance(gone, asyncio.CancelledError)
    assert await coalescer.call(MODEL, b"3") == answered(b"3")


async def test_nothing_happens_when_all_callers_of_an_error_have_gone(rpc, coalescer):
    rpc.gate.clear()
    calls = [asyncio.create_task(coalescer.call(MODEL, body)) for body in numbers(3)]
    await until(lambda: rpc.sent)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    rpc.away = errors.BrokerUnavailable()
    rpc.gate.set()
    await until(lambda: rpc.failed)

    rpc.away = None
    assert await coalescer.call(MODEL, b"3") == answered(b"3")


async def test_while_the_broker_is_away_nothing_is_sent(rpc, coalescer):
    rpc.away = errors.BrokerUnavailable("RabbitMQ cannot be reached; trying again")

    found = await asked(coalescer, numbers(3))

    assert [type(each) for each in found] == [errors.BrokerUnavailable] * 3
    assert rpc.sent == []

    rpc.away = None
    assert await coalescer.call(MODEL, b"1") == answered(b"1")


class Model:
    """A key that can be watched until nothing refers to it."""


def ended_tasks():
    """All tasks of this process that have ended and are still referred to."""
    return {each for each in gc.get_objects() if isinstance(each, asyncio.Task) and each.done()}


@pytest.mark.parametrize("away", [False, True])
async def test_nothing_is_kept_of_calls_that_have_ended(rpc, coalescer, away):
    before, model = ended_tasks(), Model()
    calls = [asyncio.create_task(coalescer.call(model, body)) for body in numbers(200)]
    await asyncio.sleep(0)  # all have asked
    rpc.away = errors.BrokerUnavailable() if away else None
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, Exception) for each in found) is away
    rpc.away, kept = None, weakref.ref(model)
    del model, calls, found
    await asyncio.sleep(0)
    gc.collect()

    assert kept() is None
    assert ended_tasks() <= before


async def test_a_call_after_all_others_have_ended_waits_for_no_other(rpc, idle):
    await asked(idle, numbers(200))
    rpc.sent.clear()

    call = asyncio.create_task(idle.call(MODEL, b"1"))
    await asyncio.sleep(0)

    assert rpc.sent == [(JSON_MEDIA_TYPE, b"1")]
    assert await call == answered(b"1")
