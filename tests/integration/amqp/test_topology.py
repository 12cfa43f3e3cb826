import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pika
import pytest

from app.amqp.connection import connection_parameters
from app.amqp.topology import (
    BINDINGS,
    DEAD_LETTER_QUEUE,
    EXCHANGE_TYPES,
    MAX_MESSAGE_BYTES,
    PREDICT_QUEUE,
    QUEUE_TYPES,
    REJECTED_EXCHANGE,
    RETRY_QUEUES,
    TRAIN_QUEUE,
    declare_topology,
    topology_definitions,
)
from tests.support.waiting import until

ETC = Path(__file__).parents[3] / "rabbitmq" / "etc"
DEFINITIONS = json.loads((ETC / "definitions.json").read_text())


@pytest.fixture
def connection(settings):
    with pika.BlockingConnection(connection_parameters(settings, "test")) as opened:
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
    with pika.BlockingConnection(connection_parameters(settings, "test")) as connection:
        declare_topology(connection.channel())


def test_what_the_code_declares_is_what_the_definitions_import(broker, vhost, bare):
    imported = topology(broker, vhost)

    declared(bare)

    assert topology(broker, bare.rabbitmq_vhost) == imported
    assert len(imported["queues"]) == len(QUEUE_TYPES) == 10
    assert len(imported["exchanges"]) == len(EXCHANGE_TYPES) == 3
    assert len(imported["bindings"]) == len(BINDINGS) == 13


def test_the_definitions_are_those_of_the_code():
    made = topology_definitions("/")

    for kind, found in made.items():
        listed = DEFINITIONS[kind]
        assert len(found) == len(listed)
        assert all(each in listed for each in found)


def test_everything_that_is_declared_survives_a_restart(broker, vhost):
    imported = topology(broker, vhost)

    assert all(each["durable"] for each in imported["queues"] + imported["exchanges"])
    assert {each["name"]: each["type"] for each in imported["queues"]} == QUEUE_TYPES


def test_what_is_there_is_declared_again_without_an_error(broker, settings):
    before = topology(broker, settings.rabbitmq_vhost)

    declared(settings)
    declared(settings)

    assert topology(broker, settings.rabbitmq_vhost) == before


def test_a_node_that_boots_has_the_definitions(broker):
    assert {each["name"] for each in topology(broker, "/")["queues"]} == set(QUEUE_TYPES)


def test_every_queue_has_its_policy_and_no_other(broker, vhost):
    policies = broker.api("GET", f"policies/{vhost}")

    assert len(policies) == len(DEFINITIONS["policies"]) == len(QUEUE_TYPES)
    for queue in QUEUE_TYPES:
        (matching,) = [each for each in policies if re.search(each["pattern"], queue)]
        assert matching["name"] == queue.removeprefix("queue.").replace(".", "-")
        assert matching["apply-to"] == "queues"


def definition_for(queue):
    """What the policy of a queue says."""
    (definition,) = [
        each["definition"] for each in DEFINITIONS["policies"] if re.search(each["pattern"], queue)
    ]
    return definition


@pytest.mark.parametrize(
    ("queue", "target"),
    [
        (TRAIN_QUEUE, ("", DEAD_LETTER_QUEUE)),
        (PREDICT_QUEUE, (REJECTED_EXCHANGE, None)),
        (DEAD_LETTER_QUEUE, (None, None)),
        *((retry_queue, ("", TRAIN_QUEUE)) for retry_queue in RETRY_QUEUES),
    ],
)
def test_what_leaves_a_queue_goes_where_it_should(queue, target):
    definition = definition_for(queue)

    routing = definition.get("dead-letter-exchange"), definition.get("dead-letter-routing-key")
    assert routing == target


def test_each_rung_of_the_ladder_is_longer_than_the_one_before():
    assert [definition_for(retry_queue)["message-ttl"] for retry_queue in RETRY_QUEUES] == [
        1000 * s for s in RETRY_QUEUES.values()
    ]


def test_the_policies_keep_to_keys_that_every_supported_version_knows():
    keys = {key for policy in DEFINITIONS["policies"] for key in policy["definition"]}

    assert keys <= {
        "delivery-limit",
        "dead-letter-exchange",
        "dead-letter-routing-key",
        "dead-letter-strategy",
        "overflow",
        "max-length",
        "max-length-bytes",
        "message-ttl",
    }


def test_there_is_no_password_in_the_definitions():
    assert "users" not in DEFINITIONS
    assert "password" not in json.dumps(DEFINITIONS)


def test_the_largest_message_is_that_of_the_configuration():
    (line,) = re.findall(r"^max_message_size = (\d+)$", (ETC / "rabbitmq.conf").read_text(), re.M)

    assert int(line) == MAX_MESSAGE_BYTES


def publish(channel, queue, body=b"x", **properties):
    channel.confirm_delivery()
    channel.basic_publish("", queue, body, pika.BasicProperties(**properties), mandatory=True)


def took(channel, queue):
    """Wait for a message and take it."""
    return until(
        lambda: next((got for got in [channel.basic_get(queue)] if got[0]), None),
        f"a message in {queue}",
    )


@pytest.mark.parametrize("queue", [TRAIN_QUEUE, PREDICT_QUEUE])
def test_what_is_rejected_lands_among_the_dead_letters(channel, queue):
    publish(channel, queue, b"poison", message_id="m7")
    method, _, _ = took(channel, queue)

    channel.basic_reject(method.delivery_tag, requeue=False)

    method, properties, body = took(channel, DEAD_LETTER_QUEUE)
    assert body == b"poison"
    assert properties.message_id == "m7"
    assert properties.headers["x-first-death-queue"] == queue
    assert properties.headers["x-first-death-reason"] == "rejected"
    channel.basic_ack(method.delivery_tag)


def test_a_prediction_that_expires_is_gone(channel):
    publish(channel, PREDICT_QUEUE, b"late", expiration="1")
    until(lambda: depth(channel, PREDICT_QUEUE) == 0, "the message expires")
    # What comes behind it in the same queue and is rejected has gone the same way later.
    publish(channel, PREDICT_QUEUE, b"poison")
    method, _, _ = took(channel, PREDICT_QUEUE)
    channel.basic_reject(method.delivery_tag, requeue=False)

    method, _, body = took(channel, DEAD_LETTER_QUEUE)

    assert body == b"poison"
    assert depth(channel, DEAD_LETTER_QUEUE) == 0
    channel.basic_ack(method.delivery_tag)


def depth(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def test_a_training_that_is_delivered_too_often_lands_among_the_dead_letters(channel):
    limit = definition_for(TRAIN_QUEUE)["delivery-limit"]
    publish(channel, TRAIN_QUEUE, b"bomb")

    seen = Counter()
    for _ in range(limit + 1):
        method, _, body = took(channel, TRAIN_QUEUE)
        seen[body] += 1
        # As the loss of a channel: both say that it failed. A nack does not from RabbitMQ 4.3 on.
        channel.basic_reject(method.delivery_tag, requeue=True)

    method, properties, body = took(channel, DEAD_LETTER_QUEUE)
    assert body == b"bomb"
    assert properties.headers["x-first-death-reason"] == "delivery_limit"
    channel.basic_ack(method.delivery_tag)
    assert seen[b"bomb"] == limit + 1


def change_policy(broker, settings, name, **changes):
    (policy,) = [each for each in DEFINITIONS["policies"] if each["name"] == name]
    changed = {**policy, "definition": policy["definition"] | changes}
    broker.api("PUT", f"policies/{settings.rabbitmq_vhost}/{name}", changed)


def test_the_oldest_dead_letters_make_room_for_new_ones(broker, settings, channel):
    """Else those that find no room would stay in the queue of the trainings and fill it."""
    # From RabbitMQ 4.3 the properties of a message count, too: three have room, and four have none.
    change_policy(broker, settings, "model-dead", **{"max-length-bytes": 3900})
    for number in range(10):
        publish(channel, DEAD_LETTER_QUEUE, b"%d" % number * 1000)  # confirmed: it is there

    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 3, "three are kept")
    publish(channel, TRAIN_QUEUE, b"x" * 1000)
    method, _, _ = took(channel, TRAIN_QUEUE)
    channel.basic_reject(method.delivery_tag, requeue=False)
    until(lambda: depth(channel, TRAIN_QUEUE) == 0, "it has moved")
    bodies = []
    until(lambda: bodies.append(took(channel, DEAD_LETTER_QUEUE)[2]) or bodies[-1][:1] == b"x", "x")
    assert bodies[-3:] == [b"8" * 1000, b"9" * 1000, b"x" * 1000]


def test_dead_letters_are_kept_for_a_month_and_other_messages_without_an_end():
    kept = {queue: definition_for(queue).get("message-ttl") for queue in QUEUE_TYPES}

    assert kept.pop(DEAD_LETTER_QUEUE) == 30 * 86_400_000
    assert {queue for queue in kept if kept[queue]} == set(RETRY_QUEUES)


@pytest.mark.parametrize("queue", [each for each in QUEUE_TYPES if each != DEAD_LETTER_QUEUE])
def test_a_queue_that_holds_many_bytes_takes_no_more(broker, settings, channel, queue):
    assert definition_for(queue)["max-length-bytes"] == 2_000_000_000
    name = queue.removeprefix("queue.").replace(".", "-")
    change_policy(broker, settings, name, **{"max-length-bytes": 3000})

    def refuses():
        try:
            publish(channel, queue, b"x" * 1000)
        except pika.exceptions.NackError:
            return True
        return False

    until(refuses, "it refuses a message")


@pytest.mark.parametrize("retry_queue", RETRY_QUEUES)
def test_a_retry_is_a_new_message_with_all_it_said(channel, retry_queue):
    said = {
        "message_id": "job-7",
        "reply_to": "amq.gen-somebody",
        "correlation_id": "c7",
        "content_type": "application/json",
        "delivery_mode": 2,
        "type": "train",
        "timestamp": 1_700_000_000,
        "app_id": "warren",
    }
    publish(channel, retry_queue, b"again", headers={"x-warren": "kept"}, expiration="100", **said)

    method, properties, body = took(channel, TRAIN_QUEUE)

    assert body == b"again"
    assert {name: getattr(properties, name) for name in said} == said
    assert properties.headers["x-warren"] == "kept"
    assert properties.expiration is None  # or it would be lost if it had to wait once more
    assert not method.redelivered
    assert not properties.headers.get("x-delivery-count")
    assert properties.headers["x-first-death-queue"] == retry_queue
    assert properties.headers["x-first-death-reason"] == "expired"
    assert [depth(channel, each) for each in (retry_queue, TRAIN_QUEUE, DEAD_LETTER_QUEUE)] == [
        0,
        0,
        0,
    ]


def test_a_retry_without_an_expiration_waits_as_long_as_the_rung(channel):
    publish(channel, next(iter(RETRY_QUEUES)), b"again")

    _, properties, body = took(channel, TRAIN_QUEUE)

    assert body == b"again"
    assert properties.headers["x-first-death-queue"] == next(iter(RETRY_QUEUES))
    assert properties.headers["x-first-death-reason"] == "expired"


def test_an_expiration_longer_than_the_rung_does_not_count(channel):
    publish(channel, next(iter(RETRY_QUEUES)), b"again", expiration="86400000")

    _, _, body = took(channel, TRAIN_QUEUE)

    assert body == b"again"


def test_a_message_climbs_the_whole_ladder_and_is_rejected_at_last(channel):
    """The broker drops what goes in circles, and knows by the deaths a message carries."""
    headers = {}
    for retry_queue in [*RETRY_QUEUES, *RETRY_QUEUES]:
        publish(channel, retry_queue, b"again", headers=headers, expiration="1")
        method, properties, _ = took(channel, TRAIN_QUEUE)
        headers = properties.headers
        channel.basic_ack(method.delivery_tag)
        assert depth(channel, DEAD_LETTER_QUEUE) == 0

    publish(channel, TRAIN_QUEUE, b"again", headers=headers)
    method, _, _ = took(channel, TRAIN_QUEUE)
    channel.basic_reject(method.delivery_tag, requeue=False)

    _, _, body = took(channel, DEAD_LETTER_QUEUE)
    assert body == b"again"


@pytest.mark.parametrize("retry_queue", RETRY_QUEUES)
def test_a_retry_waits_for_a_queue_that_was_deleted(broker, settings, channel, retry_queue):
    channel.queue_delete(TRAIN_QUEUE)
    publish(channel, retry_queue, b"kept", expiration="1", message_id="job-7")
    until(lambda: depth(channel, retry_queue) == 0, "the message expires")

    declare_topology(channel)

    # The broker tries again every 3 minutes, and when a policy changes.
    name = retry_queue.removeprefix("queue.").replace(".", "-")
    (policy,) = [each for each in DEFINITIONS["policies"] if each["name"] == name]
    changed = policy["definition"] | {"max-length": 99_999}
    vhost = settings.rabbitmq_vhost
    broker.api("PUT", f"policies/{vhost}/{name}", {**policy, "definition": changed})
    _, properties, body = took(channel, TRAIN_QUEUE)
    assert body == b"kept"
    assert properties.message_id == "job-7"
    assert depth(channel, DEAD_LETTER_QUEUE) == 0


def test_an_unroutable_message_is_returned(channel):
    with pytest.raises(pika.exceptions.UnroutableError):
        publish(channel, "queue.model.nowhere")


def test_a_message_over_the_limit_is_refused(channel):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        publish(channel, TRAIN_QUEUE, b"x" * (MAX_MESSAGE_BYTES + 1))

    assert caught.value.reply_code == 406


def test_a_message_at_the_limit_is_taken(channel):
    publish(channel, PREDICT_QUEUE, b"x" * MAX_MESSAGE_BYTES)

    _, _, body = took(channel, PREDICT_QUEUE)
    assert len(body) == MAX_MESSAGE_BYTES
