"""RabbitMQ's management API, for the operator's commands."""

import base64
import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from app import errors
from app.amqp.tls import client_context, reason
from app.settings import Settings

TIMEOUT_SECONDS = 10.0


class ManagementApi:
    """Calls the API as the user of the settings, with a connection for each call."""

    def __init__(self, settings: Settings) -> None:
        """Create the client without connecting."""
        self._settings = settings
        self._address = settings.rabbitmq_host, settings.rabbitmq_management_port
        self._user = settings.rabbitmq_user
        password = settings.rabbitmq_password.get_secret_value()
        login = base64.b64encode(f"{self._user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer's JSON, or None if it is empty: `call("GET", "queues/%2F")`.

        Raises `errors.Forbidden`, `NotFound` or `BrokerUnavailable`.
        """
        where = "RabbitMQ's management API at {}:{}".format(*self._address)
        connection = self._connection(client_context(self._settings))
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/api/{path}", sent, self._headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise errors.BrokerUnavailable(f"{where} cannot be reached: {reason(error)}") from None
        finally:
            connection.close()
        if answer.status in (401, 403):
            detail = f"{where} refuses the user {self._user}: it needs the tag administrator"
            raise errors.Forbidden(f"{detail}, and the right password")
        if answer.status == 404:
            raise errors.NotFound(None, f"{where} knows no {path}")
        if answer.status >= 400:
            raise errors.BrokerUnavailable(f"{where} answers {answer.status}: {content[:500]!r}")
        return json.loads(content) if content else None

    def _connection(self, context: ssl.SSLContext | None) -> HTTPConnection:
        if context is None:
            return HTTPConnection(*self._address, timeout=TIMEOUT_SECONDS)
        return HTTPSConnection(*self._address, timeout=TIMEOUT_SECONDS, context=context)
