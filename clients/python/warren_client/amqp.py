"""Train and predict over the broker, without HTTP: `Broker("amqp://...")`. It needs pika.

Install `warren-client[amqp]`. The protocol is that of docs/amqp.md.
"""

import json
import os
import ssl
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self, TypeVar

try:
    import pika
except ImportError:
    from warren_client.errors import MissingPackage

    raise MissingPackage("install pika: pip install 'warren-client[amqp]'") from None

from warren_client import errors
from warren_client.blocking.predictions import predicted
from warren_client.broker_failures import AWAY, error_of
from warren_client.broker_replies import RECEIVED, TRAIN_QUEUE, late, result
from warren_client.calls import JSON_MEDIA_TYPE, Call, as_json
from warren_client.patience import Patience
from warren_client.records import ModelRecord
from warren_client.retries import RetryPolicy
from warren_client.rows import inputs_of, shaped
from warren_client.trainings import training_body
from warren_client.trust import trusted

PREDICT_QUEUE = "queue.model.predict"
_CLIENT_USER, _CLIENT_EXCHANGE = "wrn-client-", "exchange.model.requests"
CONNECTION = "warren-client"  # as the broker's management page shows it
_TRIES = 3
_ASK_AGAIN_SECONDS = 5.0
ResultT = TypeVar("ResultT")


class Broker:
    """A client of the broker. It is a context manager, which closes its connection.

    It belongs to one thread. A lost connection is made anew, and what was under way is sent again:
    a training is the same job then, and a prediction is answered again.
    """

    def __init__(
        self,
        url: str | None = None,
        ca_file: str | Path | None = None,
        timeout: float = 30,
        patience: float = 300,
        *,
        exchange: str | None = None,
        sleep: Callable[[float], None] = sleep,
    ) -> None:
        """Name the broker; nothing is sent yet.

        The URL is `amqp://user:password@host:port/vhost`, or that of `WARREN_AMQP_URL`. `ca_file`
        has the authorities that may sign the certificate of an `amqps:` URL. `timeout` are the
        seconds that a prediction may take, and `patience` those for which a broker that was there
        may be away. A user that may publish to the exchange of clients only names that as
        `exchange`, unless its name begins with `wrn-client-`. Raises `Misconfigured`.
        """
        named = url or os.environ.get("WARREN_AMQP_URL")
        if not named:
            raise errors.Misconfigured("name the broker: Broker('amqp://...'), or WARREN_AMQP_URL")
        try:
            if not named.startswith(("amqp://", "amqps://")):
                raise ValueError
            self._address = pika.URLParameters(named)
        except (ValueError, TypeError, IndexError):
            raise errors.Misconfigured(
                "the URL of the broker is not valid; write amqp://user:password@host:port/vhost"
            ) from None
        named_by = self._address.client_properties or {}
        self._address.client_properties = {"connection_name": CONNECTION, **named_by}
        context = trusted(ca_file)
        if self._address.ssl_options is not None and isinstance(context, ssl.SSLContext):
            self._address.ssl_options = pika.SSLOptions(context, self._address.host)
        user = str(getattr(self._address.credentials, "username", ""))
        of_clients = _CLIENT_EXCHANGE if user.startswith(_CLIENT_USER) else ""
        self._exchange = of_clients if exchange is None else exchange
        self._user = user if self._exchange else None
        self._timeout, self._patience = timeout, patience
        self._policy, self._sleep = RetryPolicy(), sleep
        self._connects = 0
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None
        self._reply_to = ""
        self._replies: dict[str, list[dict[str, Any]]] = {}

    def __repr__(self) -> str:
        return f"<Warren by the broker at {self._address.host}:{self._address.port}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and self._connection.is_open:
            self._connection.close()
        self._connection = None

    def predict(self, model: str, rows: Any, proba: bool = False) -> Any:
        """Predict as `Model.predict` does, for a model by its id or by a reference to it.

        What the model takes is not known here: all columns of a frame are sent, and the model
        leaves out those that it does not need. Labels are texts as keys of probabilities. Raises
        `DeadlineExceeded` and what `Model.predict` does.
        """
        known = ModelRecord(model_id=model)
        asked = inputs_of(rows, known)
        return shaped(predicted(self, known, asked, "ignore"), asked, known, proba=proba)

    def train(
        self,
        dataset_id: str,
        target: str | None = None,
        name: str | None = None,
        *,
        timeout: float | None = None,
        message_id: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Train a model, and wait for the end; return the last reply, with `model_id`, `metrics`.

        `options` are other members of `POST /train`. Trainings with the same `message_id` and body
        are one job. Raises `WaitTimeout`, `JobCancelled`, and the error of the training.
        """
        body = as_json(training_body(dataset_id, None, target, name, {}, options)).encode()
        sent = {"message_id": message_id or uuid.uuid4().hex, "delivery_mode": 2}
        return self._ask(TRAIN_QUEUE, body, timeout, **sent)

    def json(self, call: Call) -> dict[str, Any]:
        """Send the body of a prediction; return the reply as HTTP answers it."""
        assert isinstance(call.body, bytes)
        sent = {"expiration": str(int(self._timeout * 1000))}
        try:
            reply = self._ask(PREDICT_QUEUE, call.body, self._timeout, **sent)
        except errors.WarrenError as error:
            queue = (error.problem or {}).get("queue")
            if (error.problem or {}).get("type") != "elsewhere" or not isinstance(queue, str):
                raise
            reply = self._ask(queue, call.body, self._timeout, **sent)
        return {"message": reply}

    def _ask(self, queue: str, body: bytes, seconds: float | None, **sent: Any) -> dict[str, Any]:
        """Publish a request, and wait for its last reply; again if the connection is lost."""
        end = None if seconds is None else monotonic() + seconds
        asked = uuid.uuid4().hex
        self._replies[asked] = []
        try:
            return self._again(lambda first: self._once(asked, queue, body, end, sent, first), end)
        finally:
            del self._replies[asked]

    def _again(self, work: Callable[[bool], ResultT], end: float | None) -> ResultT:
        """Do something that needs the connection, and again if that is lost.

        `work` is told whether it is the first time. A broker that was there may be away for the
        patience; one that was not is asked three times.
        """
        patience = Patience(self._patience, self._policy)
        connects = self._connects
        for tries in count(1):
            try:
                return work(tries == 1)
            except AWAY as failure:
                error = error_of(failure, repr(self))
            if not isinstance(error, errors.Unavailable):
                self.close()
            elif tries == 1:
                raise error
            if self._connects == 0 and tries >= _TRIES:
                raise error
            if self._connects > connects:
                connects = self._connects
                patience.heard()
            pause = patience.pause(error)
            if end is not None and monotonic() + pause >= end:
                raise error
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _once(
        self,
        asked: str,
        queue: str,
        body: bytes,
        end: float | None,
        sent: dict[str, Any],
        first: bool,
    ) -> dict[str, Any]:
        """Publish a request, and return its last reply.

        A training that runs already replies to the connection that is lost, so it is asked for
        again until it has ended.
        """
        self._connect()
        properties = pika.BasicProperties(
            reply_to=self._reply_to,
            correlation_id=asked,
            content_type=JSON_MEDIA_TYPE,
            user_id=self._user,
            **sent,
        )
        pause = _ASK_AGAIN_SECONDS if queue == TRAIN_QUEUE and not first else None
        ask_again: float | None = monotonic()
        while True:
            if ask_again is not None and monotonic() >= ask_again:
                self._channel.basic_publish(self._exchange, queue, body, properties, mandatory=True)
                ask_again = None if pause is None else monotonic() + pause
            for reply in self._replies[asked]:
                if reply.get("status") != RECEIVED:
                    return result(reply)
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                raise late(queue)
            assert self._connection is not None
            waits = [each for each in (left, pause) if each is not None]
            self._connection.process_data_events(min(waits, default=None))  # and heartbeats

    def _connect(self) -> None:
        if self._connection is not None and self._connection.is_open:
            return
        self._connection = pika.BlockingConnection(self._address)
        self._connects += 1
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._reply_to = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._reply_to, self._take, auto_ack=True)

    def _take(self, _: Any, __: Any, properties: Any, body: bytes) -> None:
        known = self._replies.get(str(properties.correlation_id))
        if known is not None:  # for others, nobody waits any more
            known.append(json.loads(body))
