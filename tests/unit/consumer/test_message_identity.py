import pytest

from app.amqp.message import Disposition
from app.amqp.topology import (
    BATCH_QUEUE,
    INVOKE_QUEUE,
    PREDICT_QUEUE,
    REQUEST_EXCHANGE,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
)
from app.auth.amqp_owners import CLIENT_SCOPES
from app.auth.identity import ANYONE, Identity, Scope
from app.consumer.message_identity import (
    Senders,
    identity_of_message,
    is_of_service,
)
from app.protocol.replies import Reply
from app.protocol.types import JobStatus
from tests.support.fakes import delivery

READER = Identity("team", frozenset({Scope.PREDICT}))
SENDERS = Senders("consumer", {"producer"}, {"reader": READER})
PUBLIC = [TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE]


def sent(user, exchange="", queue=PREDICT_QUEUE, **changes):
    changes.setdefault("reply_to", "amq.gen-mine")
    return delivery({}, user_id=user, exchange=exchange, queue=queue, **changes)


def refused(message):
    """Return the error of the reply to a message that is not admitted."""
    assert not SENDERS.admit(message)
    assert message.disposition is Disposition.REJECT
    (reply,) = message.channel.replies
    assert reply["status"] == "TASK_ERROR"
    assert reply["error"]["type"] == "forbidden"
    return reply["error"]


@pytest.mark.parametrize("queue", PUBLIC)
@pytest.mark.parametrize("user", [None, "somebody"])
def test_the_plain_contract_acts_for_the_default_owner(user, queue):
    message = sent(user, queue=queue, reply_to="answers")

    assert SENDERS.admit(message)

    assert identity_of_message(message) == ANYONE
    assert not is_of_service(message)


@pytest.mark.parametrize("exchange", ["", WORK_EXCHANGE])
@pytest.mark.parametrize("user", ["producer", "consumer"])
def test_a_message_of_a_service_has_qualified_names_and_is_sent_again_as_ours(user, exchange):
    message = sent(user, exchange)

    assert SENDERS.admit(message)

    assert is_of_service(message)
    assert message.resend_as == "consumer"
    assert identity_of_message(message) == ANYONE


@pytest.mark.parametrize("exchange", ["", WORK_EXCHANGE, REQUEST_EXCHANGE])
def test_a_user_acts_for_its_owner_however_it_sends(exchange):
    message = sent("wrn-client-team-a", exchange)

    assert SENDERS.admit(message)

    assert identity_of_message(message) == Identity("team-a", CLIENT_SCOPES)
    assert not is_of_service(message)


def test_a_configured_user_has_its_scopes():
    message = sent("reader", REQUEST_EXCHANGE)

    assert SENDERS.admit(message)
    assert identity_of_message(message) == READER

    error = refused(sent("reader", REQUEST_EXCHANGE, TRAIN_QUEUE))
    assert error["detail"] == ("user reader lacks the scope train, which queue.model.train needs")
    assert error["scope"] == "train"


@pytest.mark.parametrize(
    "user", ["somebody", "wrn-client-", "wrn-client-a~b", "wrn-client-../x", "wrn-client-A"]
)
def test_a_client_without_an_owner_is_refused(user):
    assert "AMQP_OWNERS" in refused(sent(user, REQUEST_EXCHANGE))["detail"]


def test_a_client_cannot_leave_its_name_out():
    """Else it would act for the default owner."""
    assert "user_id" in refused(sent(None, REQUEST_EXCHANGE))["detail"]


@pytest.mark.parametrize("user", ["producer", "consumer"])
def test_no_service_sends_through_the_exchange_of_clients(user):
    """A message with its name there was dead-lettered by a queue that a client had made."""
    refused(sent(user, REQUEST_EXCHANGE))


def test_the_message_of_a_job_needs_no_scope():
    assert SENDERS.admit(sent("reader", queue=BATCH_QUEUE))


def test_the_error_has_no_control_characters_of_the_user():
    assert "\n" not in refused(sent("a\nb", REQUEST_EXCHANGE))["detail"]


def test_a_client_gets_its_own_names_without_its_owner():
    mine, other = sent("reader"), sent("somebody")
    for message in (mine, other):
        assert SENDERS.admit(message)
        message.reply(Reply(JobStatus.RECEIVED, "team~m"))

    assert mine.channel.replies[-1]["model_id"] == "m"
    assert other.channel.replies[-1]["model_id"] == "team~m"
