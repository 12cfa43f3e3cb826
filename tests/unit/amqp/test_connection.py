from itertools import islice

import pika
import pytest

from app.amqp.connection import PikaConnection, _SelectConnection
from app.retry import backoff_delays


@pytest.mark.parametrize("_", range(20))
def test_delays_double_up_to_five_seconds_less_at_most_half(_):
    wholes = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]

    for delay, whole in zip(islice(backoff_delays(), 9), wholes, strict=True):
        assert whole / 2 <= delay <= whole


def test_no_two_clients_wait_alike():
    assert list(islice(backoff_delays(), 10)) != list(islice(backoff_delays(), 10))


@pytest.mark.parametrize("kind", [PikaConnection, _SelectConnection])
def test_the_frames_of_a_message_leave_together(kind, monkeypatch):
    connection = object.__new__(kind)
    connection.bytes_sent = connection.frames_sent = 0
    connection._body_max_length = 1000
    sent = []
    monkeypatch.setattr(kind, "_adapter_emit_data", lambda _, data: sent.append(data))
    message = pika.spec.Basic.Publish(exchange="", routing_key="q")

    connection._send_message(1, message, (pika.BasicProperties(), b"body"))

    (data,) = sent
    assert data.endswith(b"body\xce")
    assert connection.bytes_sent == len(data)
