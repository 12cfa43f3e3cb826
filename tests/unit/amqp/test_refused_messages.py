"""What the queues reply to a message that they refuse: the same as HTTP does."""

import pytest

from app.amqp.message import Disposition, parse_or_reject
from app.protocol.requests import PredictRequest
from app.protocol.training_request import TrainRequest
from tests.support.fakes import delivery
from tests.support.refused import NOT_JSON, PREDICTIONS, TRAININGS, WRAPPED
from tests.support.words import foreign_words


def refused(kind, body):
    """Return the error of the reply to a message; it is rejected."""
    message = delivery(body)

    assert parse_or_reject(message, kind) is None

    assert message.disposition is Disposition.REJECT
    (reply,) = message.channel.replies
    assert reply["status"] == "TASK_ERROR"
    detail = reply["error"]["detail"]
    assert not foreign_words(detail, message.body.decode(errors="replace"))
    assert len(detail) < 1500
    return reply["error"]


@pytest.mark.parametrize("kind", [PredictRequest, TrainRequest])
@pytest.mark.parametrize(("body", "said"), WRAPPED, ids=[said for _, said in WRAPPED])
def test_the_wrapper_that_was_sent_is_recognised(kind, body, said):
    error = refused(kind, body)

    assert (error["type"], error["field"]) == ("invalid", "body")
    assert said in error["detail"]
    assert error["detail"].endswith(f"; send an object like {kind.EXAMPLE}")


@pytest.mark.parametrize("kind", [PredictRequest, TrainRequest])
@pytest.mark.parametrize(("body", "said"), NOT_JSON, ids=[said for _, said in NOT_JSON])
def test_what_is_no_json_is_told_why(kind, body, said):
    error = refused(kind, body)

    assert (error["type"], error["field"]) == ("malformed", "body")
    assert said in error["detail"]


@pytest.mark.parametrize(
    ("kind", "body", "field", "said"),
    [
        *((PredictRequest, *each) for each in PREDICTIONS),
        # Messages may have fields of later versions, so one that is not known is passed over.
        *((TrainRequest, *each) for each in TRAININGS if each[1] != "feature"),
    ],
)
def test_a_request_is_refused_with_the_remedy(kind, body, field, said):
    error = refused(kind, body)

    assert error["field"] == field
    assert said in error["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", {}, [], {"model_id": "../m"}])
@pytest.mark.parametrize("kind", [TrainRequest, PredictRequest])
def test_what_is_no_request_is_answered_and_rejected(kind, body):
    error = refused(kind, body)

    assert error["type"] in ("malformed", "invalid")
    assert error["field"]
