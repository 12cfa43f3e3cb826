import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pika.exceptions import ConnectionWrongStateError

from app import errors
from app.amqp.message import ChannelSession, Disposition, encode_reply, parse_or_reject
from app.amqp.topology import MAX_MESSAGE_BYTES, QUEUE_TYPES
from app.protocol.replies import Reply
from app.protocol.requests import PredictRequest, TrainRequest
from app.protocol.types import MAX_ROWS, JobStatus
from tests.support.fakes import FakeChannel, FakeConnection, FakeSession, delivery

PREDICTION = {"model_id": "m", "input_data": {"a": 1}}


@pytest.fixture
def connection():
    return FakeConnection()


@pytest.fixture
def session(connection):
    return ChannelSession(connection, FakeChannel())


def test_a_request_is_decoded():
    message = delivery(PREDICTION)

    assert parse_or_reject(message, PredictRequest).model_id == "m"
    assert message.verdict is Disposition.ACK
    assert message.session.channel.published == []


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", {}, [], {"model_id": "../m"}])
@pytest.mark.parametrize("kind", [TrainRequest, PredictRequest])
def test_what_is_no_request_is_answered_and_rejected(kind, body):
    message = delivery(body)

    assert parse_or_reject(message, kind) is None

    assert message.verdict is Disposition.REJECT
    (reply,) = message.session.channel.replies
    assert reply["status"] == "TASK_ERROR"
    assert reply["error"]["type"] in ("malformed", "invalid")
    assert reply["error"]["field"]


def test_what_is_no_request_is_rejected_where_nobody_wants_a_reply():
    message = delivery(b"{", reply_to=None)

    assert parse_or_reject(message, TrainRequest) is None

    assert message.verdict is Disposition.REJECT
    assert message.session.channel.published == []


def test_a_reply_goes_to_whoever_asked():
    message = delivery(PREDICTION, reply_to="somebody", correlation_id="c7")

    message.reply(Reply(JobStatus.COMPLETED, "m", {"prediction": 1.5}))

    ((exchange, queue, body, properties),) = message.session.channel.published
    assert (exchange, queue) == ("", "somebody")
    assert body == b'{"status":"TASK_COMPLETED","model_id":"m","prediction":1.5}'
    assert properties.correlation_id == "c7"
    assert properties.content_type == "application/json"
    assert properties.type == "TASK_COMPLETED"


def test_a_reply_leaves_by_the_newest_connection():
    old, new, newest = FakeSession(), FakeSession(), FakeSession()
    current = [new]
    message = delivery(PREDICTION, old, outlet=lambda: current[-1])

    message.reply(Reply(JobStatus.RECEIVED, "m"))
    current.append(newest)
    message.reply(Reply(JobStatus.COMPLETED, "m"))

    assert old.channel.published == []
    assert [reply["status"] for reply in new.channel.replies] == ["TASK_RECEIVED"]
    assert [reply["status"] for reply in newest.channel.replies] == ["TASK_COMPLETED"]


def test_a_reply_that_finds_no_connection_is_kept_for_the_next():
    session = ChannelSession(FakeConnection(), FakeChannel())
    session.channel.is_open = False

    delivery(PREDICTION, session).reply(Reply(JobStatus.COMPLETED, "m"))

    ((queue, body, properties),) = session.unsent
    assert (queue, properties.correlation_id) == ("callback", "c1")
    assert json.loads(body)["status"] == "TASK_COMPLETED"
    assert session.channel.published == []


def test_a_message_is_settled_on_the_connection_it_came_by():
    old = ChannelSession(FakeConnection(), FakeChannel())
    new = ChannelSession(FakeConnection(), FakeChannel())
    message = delivery(PREDICTION, old, tag=7, outlet=lambda: new)

    old.settle([message])
    old.flush()
    new.flush()

    assert old.channel.settled == [("ack", 7, True)]
    assert new.channel.settled == []


@pytest.mark.parametrize("nobody", [None, ""])
def test_nobody_gets_no_reply(nobody):
    message = delivery(PREDICTION, reply_to=nobody)

    message.reply(Reply(JobStatus.RECEIVED))

    assert message.session.channel.published == []


@pytest.mark.parametrize("queue", QUEUE_TYPES)
def test_no_reply_goes_into_a_queue_of_work(queue):
    message = delivery(PREDICTION, reply_to=queue)

    message.reply(Reply(JobStatus.RECEIVED))

    assert message.session.channel.published == []


def test_a_reply_that_is_too_large_becomes_an_error():
    message = delivery(PREDICTION)

    message.reply(Reply(JobStatus.COMPLETED, "m", {"prediction": [0.123456789] * 500_000}))

    (reply,) = message.session.channel.replies
    assert reply["status"] == "TASK_ERROR"
    assert reply["model_id"] == "m"
    assert reply["error"]["type"] == "too_large"
    ((_, _, _, properties),) = message.session.channel.published
    assert properties.type == "TASK_ERROR"


def test_a_reply_may_have_as_many_bytes_as_a_message():
    empty = len(Reply(JobStatus.COMPLETED, "m", {"text": ""}).encode())
    most = "x" * (MAX_MESSAGE_BYTES - empty)

    _, whole = encode_reply(Reply(JobStatus.COMPLETED, "m", {"text": most}))
    body, too_large = encode_reply(Reply(JobStatus.COMPLETED, "m", {"text": most + "x"}))

    assert (whole, too_large) == (JobStatus.COMPLETED, JobStatus.ERROR)
    assert len(body) < 1000


def test_too_many_rows_are_answered_and_rejected():
    message = delivery({"model_id": "m", "input_data": [{}] * (MAX_ROWS + 1)})

    assert parse_or_reject(message, PredictRequest) is None

    assert message.verdict is Disposition.REJECT
    (reply,) = message.session.channel.replies
    assert reply["error"]["type"] == "too_large"
    assert (reply["error"]["field"], reply["error"]["limit"]) == ("input_data", MAX_ROWS)


def settled(verdicts):
    session = ChannelSession(FakeConnection(), FakeChannel())
    session.settle(
        [
            delivery(PREDICTION, session, tag=tag, verdict=verdict)
            for tag, verdict in enumerate(verdicts, 1)
        ]
    )
    session.flush()
    return session.channel.settled


def test_a_batch_is_acked_at_once():
    assert settled([Disposition.ACK] * 5) == [("ack", 5, True)]


def test_what_is_rejected_or_requeued_is_settled_before_the_others_are_acked():
    verdicts = [
        Disposition.REJECT,
        Disposition.ACK,
        Disposition.REQUEUE,
        Disposition.ACK,
        Disposition.REJECT,
    ]

    assert settled(verdicts) == [
        ("reject", 1, False),
        ("requeue", 3, False),
        ("reject", 5, False),
        ("ack", 4, True),
    ]


def test_nothing_is_acked_when_nothing_is_done():
    assert settled([Disposition.REJECT, Disposition.REQUEUE]) == [
        ("reject", 1, False),
        ("requeue", 2, False),
    ]


def test_nothing_happens_before_the_connections_thread_comes_by(session, connection):
    done = []

    session.post(lambda: done.append(1))
    assert done == []

    connection.come_by()
    assert done == [1]


def test_the_connections_thread_is_called_once_for_many_actions(session, connection):
    done = []

    for number in range(10):
        session.post(lambda number=number: done.append(number))

    assert len(connection.callbacks) == 1
    connection.come_by()
    assert done == list(range(10))


def test_what_is_posted_later_calls_the_thread_again(session, connection):
    done = []
    session.post(lambda: done.append(1))
    connection.come_by()

    session.post(lambda: done.append(2))
    connection.come_by()

    assert done == [1, 2]


def test_nothing_that_is_posted_during_a_flush_is_forgotten(session, connection):
    done = []
    session.post(lambda: session.post(lambda: done.append(1)))

    connection.come_by()
    connection.come_by()

    assert done == [1]


def test_nothing_that_many_threads_post_is_forgotten(session, connection):
    done = []
    stopped = threading.Event()

    def post(number):
        for each in range(500):
            session.post(lambda each=each: done.append((number, each)))

    def pump():
        while not stopped.is_set():
            connection.come_by()

    pumping = threading.Thread(target=pump)
    pumping.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    stopped.set()
    pumping.join()
    connection.come_by()

    assert sorted(done) == [(number, each) for number in range(4) for each in range(500)]


def test_an_action_for_a_closed_channel_is_dropped(session, connection):
    session.channel.is_open = False

    session.post(lambda: pytest.fail("done"))

    connection.come_by()


def test_an_action_for_a_closed_connection_is_dropped():
    class Closed(FakeConnection):
        def add_callback_threadsafe(self, callback):
            raise ConnectionWrongStateError

    ChannelSession(Closed(), FakeChannel()).post(lambda: pytest.fail("done"))


def test_a_session_lives_while_its_channel_is_open_and_its_consumer_is_there(session):
    assert session.alive

    session.cancelled = True
    assert not session.alive

    session.cancelled = False
    session.channel.is_open = False
    assert not session.alive


def test_an_error_is_replied_with_the_correlation_of_the_request():
    message = delivery(b"", FakeSession(), correlation_id=None)

    message.reply(Reply.error(errors.NotFound(None, "no model m"), "m"))

    ((_, _, _, properties),) = message.session.channel.published
    assert properties.correlation_id is None
    assert message.session.channel.replies == [
        {
            "status": "TASK_ERROR",
            "model_id": "m",
            "error": {"type": "not_found", "detail": "no model m"},
        }
    ]
