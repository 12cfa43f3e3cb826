"""A node of the local stack, which reads its settings as the broker of the containers does."""

from dataclasses import replace

import httpx2
import pytest

from devstack.program import ProgramError
from devstack.rabbitmq import Broker
from devstack.rabbitmq_node import USER


@pytest.mark.slow
def test_a_changed_password_counts_from_the_next_start(tmp_path):
    try:
        before = Broker.on_free_ports(tmp_path / "rabbitmq")
    except ProgramError as error:
        pytest.skip(str(error))
    with before:
        before.stop()

    node = replace(before.node, password="changed")
    with Broker(node):  # it is ready when it lets this user in
        refused = httpx2.get(
            f"http://127.0.0.1:{node.management}/api/whoami",
            auth=(USER, before.node.password),
            trust_env=False,
        )
    assert refused.status_code == 401
