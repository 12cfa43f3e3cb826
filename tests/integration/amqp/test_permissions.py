"""What a real broker lets each user do: exactly what the table of rights says."""

from contextlib import contextmanager

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from app.amqp.permissions import CLIENT_PREFIX, DEFAULT_EXCHANGE, RIGHTS, Role
from app.amqp.topology import (
    BATCH_QUEUE,
    EXCHANGE_TYPES,
    OWN_PREFIXES,
    PREDICT_QUEUE,
    PUBLIC_QUEUES,
    QUEUE_TYPES,
    REQUEST_EXCHANGE,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
    WORK_QUEUES,
    declare_topology,
    ensure_topology,
)
from app.amqp.users import User, user_definitions
from app.errors import BrokerUnavailable
from tests.support.waiting import until

REFUSED, LOCKED, FORGED = 403, 405, 406
CLIENT = User(Role.CLIENT, f"{CLIENT_PREFIX}team", "of the client")
FOREIGN = "billing"  # a queue, and an exchange, of another application
INTERNAL = "amq.rabbitmq.trace"  # only the broker publishes there
OTHERS_PRESENCE = f"{OWN_PREFIXES[1]}other"  # an exclusive queue of another consumer


@pytest.fixture(scope="module")
def users(broker):
    """All users by their roles, and a client of its own for each test of one."""
    broker.api("POST", "definitions", {"users": user_definitions([CLIENT], "/")["users"]})
    return {user.role: user for user in (*broker.node.users(), CLIENT)}


@pytest.fixture
def login(broker, vhost, users):
    """Connect as the user of a role."""
    broker.grant(vhost, [CLIENT])

    @contextmanager
    def connect(role):
        user = users[role]
        login = pika.PlainCredentials(user.name, user.password)
        address = "127.0.0.1", broker.node.amqp, vhost, login
        with pika.BlockingConnection(pika.ConnectionParameters(*address)) as connection:
            yield connection

    return connect


@pytest.fixture
def operator(login):
    with login(Role.OPERATOR) as connection:
        yield connection


@pytest.fixture
def names(operator):
    """The queues and exchanges that there are, those of others too."""
    channel = operator.channel()
    channel.queue_declare(FOREIGN, durable=True)
    channel.exchange_declare(FOREIGN, durable=True)
    channel.queue_declare(OTHERS_PRESENCE, exclusive=True)
    locked = channel.queue_declare("", exclusive=True).method.queue
    queues = [*QUEUE_TYPES, FOREIGN, OTHERS_PRESENCE, locked]
    exchanges = [*EXCHANGE_TYPES, FOREIGN, "amq.topic", INTERNAL]
    return queues, exchanges, {OTHERS_PRESENCE, locked}


def outcome(connection, act):
    """Return "ok", or the code by which the broker refuses what `act` does on a channel."""
    channel = connection.channel()
    try:
        act(channel)
    except ChannelClosedByBroker as error:
        return error.reply_code
    channel.close()
    return "ok"


def arguments(queue):
    return {"x-queue-type": QUEUE_TYPES[queue]} if queue in QUEUE_TYPES else None


ON_A_QUEUE = {
    "declare": ("configure", lambda c, q: c.queue_declare(q, durable=True, arguments=arguments(q))),
    "get": ("read", lambda c, q: c.basic_get(q)),
    "consume": ("read", lambda c, q: c.basic_consume(q, lambda *_: None)),
    "purge": ("read", lambda c, q: c.queue_purge(q)),
    "delete": ("configure", lambda c, q: c.queue_delete(q)),
}


def publish(channel, exchange):
    channel.confirm_delivery()
    channel.basic_publish(exchange, "nowhere", b"")


ON_AN_EXCHANGE = {
    "publish": ("write", publish),
    "declare": (
        "configure",
        lambda c, x: c.exchange_declare(x, EXCHANGE_TYPES.get(x, "direct"), durable=True),
    ),
    "delete": ("configure", lambda c, x: c.exchange_delete(x)),
}


def is_reserved(act, name):
    """Whether the broker lets nobody do this, because the name is one of its own."""
    return act == "declare" and name.startswith("amq.")


@pytest.mark.parametrize("role", Role)
def test_a_user_may_do_to_a_queue_what_its_rights_say(role, login, names, operator):
    queues, _, locked = names
    rights, found, expected = RIGHTS[role], {}, {}
    with login(role) as connection:
        for queue in queues:
            for act, (kind, do) in ON_A_QUEUE.items():
                found[act, queue] = outcome(connection, lambda c, q=queue, do=do: do(c, q))
                mine = "ok" if queue not in locked else LOCKED
                may = rights.allow(kind, queue) and not is_reserved(act, queue)
                expected[act, queue] = mine if may else REFUSED
            if queue in QUEUE_TYPES:
                declare_topology(operator.channel())  # what was deleted
    assert found == expected
    assert {LOCKED, "ok", REFUSED} >= set(found.values())


@pytest.mark.parametrize("role", Role)
def test_a_user_may_do_to_an_exchange_what_its_rights_say(role, login, names, operator):
    _, exchanges, _ = names
    rights, found, expected = RIGHTS[role], {}, {}
    with login(role) as connection:
        found["publish", ""] = outcome(connection, lambda c: publish(c, ""))
        expected["publish", ""] = "ok" if rights.allow("write", DEFAULT_EXCHANGE) else REFUSED
        for exchange in exchanges:
            for act, (kind, do) in ON_AN_EXCHANGE.items():
                if exchange.startswith("amq.") and act != "publish":
                    continue  # nobody may
                found[act, exchange] = outcome(connection, lambda c, x=exchange, do=do: do(c, x))
                may = rights.allow(kind, exchange) and exchange != INTERNAL
                expected[act, exchange] = "ok" if may else REFUSED
            declare_topology(operator.channel())  # what was deleted
    assert found == expected


@pytest.mark.parametrize("role", Role)
def test_a_user_binds_only_what_it_may_write_to_what_it_may_read(role, login, names):
    queues, exchanges, locked = names
    rights, found, expected = RIGHTS[role], {}, {}
    with login(role) as connection:
        for queue in queues:
            for exchange in exchanges:
                for act in ("queue_bind", "queue_unbind"):
                    pair = queue, exchange, act
                    found[pair] = outcome(
                        connection, lambda c, q=queue, x=exchange, a=act: getattr(c, a)(q, x, "key")
                    )
                    may = rights.allow("write", queue) and rights.allow("read", exchange)
                    is_locked = queue in locked and act == "queue_bind"  # not to unbind
                    expected[pair] = REFUSED if not may else LOCKED if is_locked else "ok"
    assert found == expected


@pytest.mark.parametrize("role", Role)
def test_nobody_but_the_tools_sends_in_the_name_of_another(role, login):
    exchanges = [x for x in (WORK_EXCHANGE, REQUEST_EXCHANGE) if RIGHTS[role].allow("write", x)]
    assert exchanges

    def forge(channel):
        channel.confirm_delivery()
        properties = pika.BasicProperties(user_id="warren-producer!")
        channel.basic_publish(exchanges[0], "nowhere", b"", properties)

    with login(role) as connection:
        assert outcome(connection, forge) == ("ok" if role is Role.TOOLS else FORGED)


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.CONSUMER])
def test_a_service_finds_all_it_needs_without_declaring_it(role, login, operator):
    with login(role) as connection:
        ensure_topology(connection)
        operator.channel().queue_delete(BATCH_QUEUE)
        with pytest.raises(BrokerUnavailable, match=r"app\.cli\.broker restore"):
            ensure_topology(connection)


def received(connection, queue):
    _, properties, body = until(
        lambda: next((got for got in [connection.channel().basic_get(queue)] if got[0]), None),
        "a message",
    )
    return properties, body


def test_a_client_asks_and_reads_its_own_replies(login, operator):
    with login(Role.CLIENT) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        callback = channel.queue_declare("", exclusive=True).method.queue
        asked = pika.BasicProperties(reply_to=callback, user_id=CLIENT.name)
        for queue in PUBLIC_QUEUES:
            channel.basic_publish(REQUEST_EXCHANGE, queue, b"?", asked, mandatory=True)
        with login(Role.CONSUMER) as consumer:
            properties, _ = received(consumer, TRAIN_QUEUE)
            assert properties.user_id == CLIENT.name
            consumer.channel().basic_publish("", properties.reply_to, b"!")
        assert received(connection, callback)[1] == b"!"


def test_a_client_may_use_direct_reply_to(login):
    direct = "amq.rabbitmq.reply-to"
    answers = []
    with login(Role.CLIENT) as connection, login(Role.CONSUMER) as consumer:
        channel = connection.channel()
        channel.basic_consume(direct, lambda *got: answers.append(got[3]), auto_ack=True)
        asked = pika.BasicProperties(reply_to=direct, user_id=CLIENT.name)
        channel.basic_publish(REQUEST_EXCHANGE, PREDICT_QUEUE, b"?", asked)
        properties, _ = received(consumer, PREDICT_QUEUE)
        consumer.channel().basic_publish("", properties.reply_to, b"!")
        until(lambda: connection.process_data_events(0.05) or answers, "the reply")
    assert answers == [b"!"]


@pytest.mark.parametrize("queue", sorted(set(QUEUE_TYPES) - set(PUBLIC_QUEUES)))
def test_no_request_reaches_a_queue_that_is_not_public(queue, login):
    with login(Role.CLIENT) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        with pytest.raises(UnroutableError):
            channel.basic_publish(REQUEST_EXCHANGE, queue, b"x", mandatory=True)


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_no_header_carries_a_request_to_another_queue(header, login, operator):
    hidden = [*sorted(set(WORK_QUEUES) - set(PUBLIC_QUEUES)), FOREIGN]
    operator.channel().queue_declare(FOREIGN, durable=True)
    with login(Role.CLIENT) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(headers={header: hidden})
        channel.basic_publish(REQUEST_EXCHANGE, PREDICT_QUEUE, b"x", properties, mandatory=True)
    for queue in hidden:
        assert operator.channel().basic_get(queue)[0] is None


@pytest.mark.parametrize("target", [*QUEUE_TYPES, FOREIGN])
def test_a_client_has_no_queue_that_forwards_its_replies_to_another(target, login):
    """Else a reply would arrive as if the consumer had sent it there."""

    def declare(channel):
        forwards = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": target}
        channel.queue_declare("", exclusive=True, arguments={**forwards, "x-message-ttl": 0})

    with login(Role.CLIENT) as connection:
        assert outcome(connection, declare) == REFUSED
