import pytest

from app import errors
from app.producer.rpc.replies import ensure_success, read_prediction, read_reply
from app.protocol.replies import Failed, Predicted, Reply, TrainCompleted
from app.protocol.types import JobStatus

PREDICTED = Predicted("m", prediction=1.5, pred_proba=1.5)

NO_REPLIES = [
    b"",
    b"{",
    b"[]",
    b'{"status": "DONE"}',
    b'{"status": NaN}',
    b'{"status": "TASK_ERROR"}',
    b'{ "status": "TASK_COMPLETED" }',
]


@pytest.mark.parametrize(
    "reply", [PREDICTED, TrainCompleted("m", metrics={"r2": 0.5}), Reply(JobStatus.RECEIVED, "m")]
)
def test_a_reply_that_tells_of_no_error_is_read(reply):
    assert read_reply(reply.encode()) == reply
    assert ensure_success(reply.encode()) == reply.encode()


def test_a_prediction_is_read():
    assert read_prediction(PREDICTED.encode()) == PREDICTED


@pytest.mark.parametrize("read", [ensure_success, read_reply, read_prediction])
def test_an_error_that_is_replied_is_raised_where_it_is_read(read):
    error = errors.NotReady(None, "in training", state="TASK_RUNNING")

    with pytest.raises(errors.NotReady) as caught:
        read(Failed.of(error, "m").encode())

    assert caught.value.to_wire() == error.to_wire()


@pytest.mark.parametrize("read", [ensure_success, read_reply, read_prediction])
@pytest.mark.parametrize("body", NO_REPLIES)
def test_what_is_no_reply_is_an_error_where_it_is_read(read, body):
    with pytest.raises(errors.WarrenError) as caught:
        read(body)

    assert type(caught.value) is errors.WarrenError


def test_another_reply_is_no_prediction():
    with pytest.raises(errors.WarrenError, match="TASK_RECEIVED instead of a prediction"):
        read_prediction(Reply(JobStatus.RECEIVED, "m").encode())


def test_a_success_is_passed_on_unread():
    body = b'{"status":"TASK_COMPLETED", and so on, for megabytes'

    assert ensure_success(body) is body
