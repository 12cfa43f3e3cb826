"""The operator's commands for the broker's users, on a real broker."""

import json
import re

import httpx2
import pika
import pytest
from click.testing import CliRunner
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from app.amqp.permissions import RIGHTS, Role
from app.amqp.topology import REQUEST_EXCHANGE, TRAIN_QUEUE
from app.cli import broker as command
from app.observability import logs

MORE = "warren-producer has more rights than it needs: to write "


@pytest.fixture
def run(environment, broker, monkeypatch):
    """Run the program in this process, as the tools' user."""
    monkeypatch.setattr(logs, "configure", lambda level: None)

    def invoke(*arguments, expect=0, **changed):
        env = environment | broker.node.logins() | changed
        result = CliRunner().invoke(command.main, arguments, env=env)
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert result.exit_code == expect, result.output
        return result

    return invoke


def here(result):
    """The lines of the doctor about this vhost: other tests use the same users in others."""
    return [line for line in result.stdout.splitlines() if "rights in the vhost" not in line]


def login(broker, vhost, user, password):
    credentials = pika.PlainCredentials(user, password)
    address = "127.0.0.1", broker.node.amqp, vhost, credentials
    return pika.BlockingConnection(pika.ConnectionParameters(*address))


def test_the_doctor_finds_nothing_wrong_with_the_definitions(run):
    assert here(run("doctor", expect=1)) == []


def test_the_doctor_finds_what_was_granted_and_deleted(run, broker, vhost):
    rights = {**RIGHTS[Role.PRODUCER].patterns, "write": ".*"}
    broker.api("PUT", f"permissions/{vhost}/warren-producer", rights)
    broker.api("DELETE", f"queues/{vhost}/{TRAIN_QUEUE}")

    more, missing, *unbound = here(run("doctor", expect=1))

    assert more.startswith(MORE)
    assert "amq.default" in more
    assert missing.startswith(f"{TRAIN_QUEUE} is missing: ")
    assert len(unbound) == 2

    run("restore")
    assert here(run("doctor", expect=1)) == [more]


def test_the_doctor_finds_a_client_that_may_act_for_the_default_owner(run, broker):
    found = here(run("doctor", expect=1, AMQP_OWNERS=f"{broker.node.users()[0].name}=team"))

    assert "warren has tags that it does not need: monitoring, policymaker" in found
    assert any(
        line.startswith("warren has more rights") and "amq.default" in line for line in found
    )


def test_the_doctor_finds_guest_with_its_default_password(run, broker):
    broker.api("PUT", "users/guest", {"password": "guest", "tags": ""})
    try:
        found = here(run("doctor", expect=1))
    finally:
        broker.api("DELETE", "users/guest")

    assert found == ["guest has its default password: delete this user"]


def test_a_user_who_may_not_see_permissions_is_told(run, broker):
    of = broker.node.settings()
    tools = {
        "RABBITMQ_TOOLS_USER": of["RABBITMQ_USER"],
        "RABBITMQ_TOOLS_PASSWORD": of["RABBITMQ_PASSWORD"],
    }

    result = run("doctor", expect=1, **tools)

    assert "it needs the tag administrator" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_api_that_is_away_is_told(run):
    assert "cannot be reached" in run("doctor", expect=1, RABBITMQ_MANAGEMENT_PORT="1").stderr


def test_a_client_is_made_and_removed(run, broker, vhost):
    said = run("add-client", "team-a").stdout
    user, password = re.fullmatch(r"user (\S+), password (\S+)\n", said).groups()

    with login(broker, vhost, user, password) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        sent = pika.BasicProperties(user_id=user)
        channel.basic_publish(REQUEST_EXCHANGE, TRAIN_QUEUE, b"{}", sent, mandatory=True)
    assert here(run("doctor", expect=1)) == []
    limits = broker.api("GET", f"user-limits/{user}")
    assert limits == [{"user": user, "value": {"max-connections": 20, "max-channels": 100}}]

    run("remove-client", "team-a")
    with pytest.raises(AMQPConnectionError):
        login(broker, vhost, user, password)
    assert "knows no users/" in run("remove-client", "team-a", expect=1).stderr


def test_a_client_has_no_more_connections_than_its_limit(run, broker, vhost):
    said = run("add-client", "small", "--connections", "1").stdout
    user, password = re.fullmatch(r"user (\S+), password (\S+)\n", said).groups()

    with login(broker, vhost, user, password), pytest.raises(AMQPConnectionError):
        login(broker, vhost, user, password)
    run("remove-client", "small")


@pytest.mark.parametrize("owner", ["a~b", "", "a b", "../x", "-a", "A", "a.b", "a" * 33])
def test_an_owner_has_a_name_without_signs(run, owner):
    assert "OWNER" in run("add-client", "--", owner, expect=2).stderr


def test_the_users_are_printed_as_definitions_that_a_broker_imports(run, broker, vhost):
    printed = json.loads(run("users").stdout)

    assert [each["name"] for each in printed["users"]] == [
        "warren-producer",
        "warren-consumer",
        "warren-tools",
    ]
    assert "password" not in printed["users"][0]
    broker.api("POST", "definitions", printed)
    producer = broker.node.users()[1]
    with login(broker, vhost, producer.name, producer.password):
        pass
    whoami = f"http://127.0.0.1:{broker.node.management}/api/whoami"
    tools = broker.node.users()[3]
    answer = httpx2.get(whoami, auth=(tools.name, tools.password), trust_env=False)
    assert set(answer.json()["tags"]) == {"administrator", "impersonator"}


def test_a_password_that_is_missing_is_told(run):
    result = run("users", expect=1, RABBITMQ_TOOLS_USER="", RABBITMQ_TOOLS_PASSWORD="")

    assert "RABBITMQ_TOOLS_PASSWORD" in result.stderr


def test_nobody_makes_more_queues_than_the_vhost_may_have(run, broker, vhost):
    assert broker.api("GET", f"vhost-limits/{vhost}")[0]["value"] == {"max-queues": 10_000}
    password = run("add-client", "team").stdout.split()[-1]
    there = len(broker.api("GET", f"queues/{vhost}"))
    broker.api("PUT", f"vhost-limits/{vhost}/max-queues", {"value": there + 2})

    with login(broker, vhost, "wrn-client-team", password) as connection:
        channel = connection.channel()
        for _ in range(2):
            channel.queue_declare("", exclusive=True)
        with pytest.raises(ChannelClosedByBroker, match="queue limit"):
            channel.queue_declare("", exclusive=True)

    broker.api("DELETE", f"vhost-limits/{vhost}/max-queues")
    (line,) = here(run("doctor", expect=1))
    assert line.startswith(f"the vhost {vhost} has no max-queues")


def test_a_user_with_a_certificate_gets_no_password(run):
    certified = {
        "RABBITMQ_TLS": "on",
        "RABBITMQ_PRODUCER_PASSWORD": "",
        "RABBITMQ_PRODUCER_CERTIFICATE_FILE": "/etc/warren/producer.pem",
    }

    producer, consumer, _ = json.loads(run("users", **certified).stdout)["users"]

    assert (producer["name"], producer["password_hash"]) == ("warren-producer", "")
    assert consumer["password_hash"]
