import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pika
import pytest

from app import broker as amqp
from app import queues
from tests.waiting import until

ETC = Path(__file__).parents[2] / "rabbitmq" / "etc"
DEFINITIONS = json.loads((ETC / "definitions.json").read_text())


@pytest.fixture
def connection(settings):
    with pika.BlockingConnection(amqp.parameters(settings, "test")) as opened:
        yield opened


@pytest.fixture
def channel(connection):
    return connection.channel()


@pytest.fixture
def bare(broker, settings):
    """Settings for a vhost that has nothing in it."""
    name = "bare"
    broker.api("PUT", f"vhosts/{name}", {})
    permissions = {"configure": ".*", "write": ".*", "read": ".*"}
    broker.api("PUT", f"permissions/{name}/{settings.rabbitmq_user}", permissions)
    yield settings.model_copy(update={"rabbitmq_vhost": name})
    broker.delete_vhost(name)


def topology(broker, vhost):
    """What a vhost has, without what the broker has made itself."""
    parts = {}
    for kind, keys in {
        "queues": ("name", "type", "durable", "auto_delete", "exclusive", "arguments"),
        "exchanges": ("name", "type", "durable", "auto_delete", "internal", "arguments"),
        "bindings": ("source", "destination", "destination_type", "routing_key", "arguments"),
    }.items():
        found = broker.api("GET", f"{kind}/{quote(vhost, safe='')}")
        parts[kind] = sorted(
            ({key: each[key] for key in keys} for each in found if is_ours(each)), key=str
        )
    return parts


def is_ours(thing):
    return "model" in (thing["source"] if "source" in thing else thing["name"])


def declared(settings):
    with pika.BlockingConnection(amqp.parameters(settings, "test")) as connection:
        queues.declare(connection.channel())


def test_what_the_code_declares_is_what_the_definitions_import(broker, vhost, bare):
    imported = topology(broker, vhost)

    declared(bare)

    assert topology(broker, bare.rabbitmq_vhost) == imported
    assert len(imported["queues"]) == 3
    assert len(imported["exchanges"]) == 1
    assert len(imported["bindings"]) == 1


def test_everything_that_is_declared_survives_a_restart(broker, vhost):
    imported = topology(broker, vhost)

    assert all(each["durable"] for each in imported["queues"] + imported["exchanges"])
    assert {each["name"]: each["type"] for each in imported["queues"]} == queues.TYPES


def test_what_is_there_is_declared_again_without_an_error(broker, settings):
    before = topology(broker, settings.rabbitmq_vhost)

    declared(settings)
    declared(settings)

    assert topology(broker, settings.rabbitmq_vhost) == before


def test_a_node_that_boots_has_the_definitions(broker):
    assert {each["name"] for each in topology(broker, "/")["queues"]} == set(queues.TYPES)


def test_every_queue_has_its_policy_and_no_other(broker, vhost):
    policies = broker.api("GET", f"policies/{vhost}")

    assert len(policies) == len(DEFINITIONS["policies"]) == len(queues.TYPES)
    for queue in queues.TYPES:
        (matching,) = [each for each in policies if re.search(each["pattern"], queue)]
        assert matching["name"] == queue.removeprefix("queue.").replace(".", "-")
        assert matching["apply-to"] == "queues"


def test_no_policy_names_what_does_not_exist():
    known = {queues.REJECTED, ""}
    for policy in DEFINITIONS["policies"]:
        definition = policy["definition"]
        assert definition.get("dead-letter-exchange", "") in known
        assert definition.get("dead-letter-routing-key", queues.DEAD) == queues.DEAD


def test_the_policies_keep_to_keys_that_every_supported_version_knows():
    keys = {key for policy in DEFINITIONS["policies"] for key in policy["definition"]}

    assert keys <= {
        "delivery-limit",
        "dead-letter-exchange",
        "dead-letter-routing-key",
        "dead-letter-strategy",
        "overflow",
        "max-length",
    }


def test_there_is_no_password_in_the_definitions():
    assert "users" not in DEFINITIONS
    assert "password" not in json.dumps(DEFINITIONS)


def test_the_largest_message_is_that_of_the_configuration():
    (line,) = re.findall(r"^max_message_size = (\d+)$", (ETC / "rabbitmq.conf").read_text(), re.M)

    assert int(line) == queues.MAX_MESSAGE_BYTES


def publish(channel, queue, body=b"x", **properties):
    channel.confirm_delivery()
    channel.basic_publish("", queue, body, pika.BasicProperties(**properties), mandatory=True)


def took(channel, queue):
    """Wait for a message and take it."""
    return until(
        lambda: next((got for got in [channel.basic_get(queue)] if got[0]), None),
        f"a message in {queue}",
    )


@pytest.mark.parametrize("queue", [queues.TRAIN, queues.PREDICT])
def test_what_is_rejected_lands_among_the_dead_letters(channel, queue):
    publish(channel, queue, b"poison", message_id="m7")
    method, _, _ = took(channel, queue)

    channel.basic_reject(method.delivery_tag, requeue=False)

    method, properties, body = took(channel, queues.DEAD)
    assert body == b"poison"
    assert properties.message_id == "m7"
    assert properties.headers["x-first-death-queue"] == queue
    assert properties.headers["x-first-death-reason"] == "rejected"
    channel.basic_ack(method.delivery_tag)


def test_a_prediction_that_expires_is_gone(channel):
    publish(channel, queues.PREDICT, b"late", expiration="1")
    until(lambda: depth(channel, queues.PREDICT) == 0, "the message expires")
    # What comes behind it in the same queue and is rejected has gone the same way later.
    publish(channel, queues.PREDICT, b"poison")
    method, _, _ = took(channel, queues.PREDICT)
    channel.basic_reject(method.delivery_tag, requeue=False)

    method, _, body = took(channel, queues.DEAD)

    assert body == b"poison"
    assert depth(channel, queues.DEAD) == 0
    channel.basic_ack(method.delivery_tag)


def depth(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def test_a_training_that_is_delivered_too_often_lands_among_the_dead_letters(channel):
    (policy,) = [each for each in DEFINITIONS["policies"] if each["name"] == "model-train"]
    limit = policy["definition"]["delivery-limit"]
    publish(channel, queues.TRAIN, b"bomb")

    seen = Counter()
    for _ in range(limit + 1):
        method, _, body = took(channel, queues.TRAIN)
        seen[body] += 1
        channel.basic_nack(method.delivery_tag, requeue=True)

    method, properties, body = took(channel, queues.DEAD)
    assert body == b"bomb"
    assert properties.headers["x-first-death-reason"] == "delivery_limit"
    channel.basic_ack(method.delivery_tag)
    assert seen[b"bomb"] == limit + 1


def test_an_unroutable_message_is_returned(channel):
    with pytest.raises(pika.exceptions.UnroutableError):
        publish(channel, "queue.model.nowhere")


def test_a_message_over_the_limit_is_refused(channel):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        publish(channel, queues.TRAIN, b"x" * (queues.MAX_MESSAGE_BYTES + 1))

    assert caught.value.reply_code == 406


def test_a_message_at_the_limit_is_taken(channel):
    publish(channel, queues.PREDICT, b"x" * queues.MAX_MESSAGE_BYTES)

    _, _, body = took(channel, queues.PREDICT)
    assert len(body) == queues.MAX_MESSAGE_BYTES
