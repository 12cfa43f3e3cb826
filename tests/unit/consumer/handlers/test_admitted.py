from app.amqp.topology import PREDICT_QUEUE
from app.consumer.handlers.admitted import AdmittedHandler
from app.consumer.message_identity import Senders
from tests.support.fakes import HandlerOf, delivery

SENDERS = Senders("warren")


def test_a_handler_gets_the_messages_that_are_admitted():
    seen = []
    handler = HandlerOf(seen.extend, queue="q", prefetch=7, is_fast=lambda message: True)
    good = delivery({}, queue=PREDICT_QUEUE, user_id="warren")
    bad = delivery({}, queue=PREDICT_QUEUE, delivery_tag=2, exchange="exchange.model.requests")

    admitted = AdmittedHandler(handler, SENDERS)

    assert (admitted.queue, admitted.prefetch, admitted.is_fast(good)) == ("q", 7, True)
    admitted([bad, good])
    assert seen == [good]


def test_a_name_of_another_owner_is_looked_up_by_no_thread_of_a_connection():
    handler = AdmittedHandler(HandlerOf(print, is_fast=lambda message: True), SENDERS)
    body = {"model_id": "red~m"}

    assert handler.is_fast(delivery(body, user_id="warren"))
    assert not handler.is_fast(delivery(body))
