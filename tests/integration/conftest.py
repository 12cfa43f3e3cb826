"""Clients of the broker, for one test."""

import pytest

from tests.support.client import Client
from tests.support.wire import Wire


@pytest.fixture
def client(settings):
    made = Client(settings)
    yield made
    if made.connection.is_open:
        made.connection.close()


@pytest.fixture
def wire(settings):
    with Wire(settings.rabbitmq_port) as opened:
        yield opened
