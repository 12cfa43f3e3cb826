import pika
import pytest

from app.amqp.connection import PikaConnection, SelectConnection


@pytest.mark.parametrize("kind", [PikaConnection, SelectConnection])
def test_the_frames_of_a_message_leave_together(kind):
    sent = []

    class Connection(kind):
        """A connection that is not opened; these are pika's own internals."""

        def __init__(self):
            self.bytes_sent = self.frames_sent = 0
            self._body_max_length = 1000

        def _adapter_emit_data(self, data):
            sent.append(data)

        def publish(self, body):
            method = pika.spec.Basic.Publish(exchange="", routing_key="q")
            self._send_message(1, method, (pika.BasicProperties(), body))

    connection = Connection()

    connection.publish(b"body")

    (data,) = sent
    assert data.endswith(b"body\xce")
    assert connection.bytes_sent == len(data)
