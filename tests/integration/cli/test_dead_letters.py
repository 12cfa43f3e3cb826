import json
import logging
import subprocess
import sys
import unicodedata
from decimal import Decimal

import pika
import pytest
from click.testing import CliRunner
from pika.adapters.blocking_connection import BlockingChannel

from app import errors
from app.amqp.connection import connection_parameters
from app.amqp.dead_letters import open_dead_letters
from app.amqp.message import parse_or_reject
from app.amqp.permissions import Role
from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    PREDICT_QUEUE,
    REQUEST_EXCHANGE,
    RETRY_QUEUES,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
)
from app.amqp.users import User, user_definitions
from app.auth.audit import Thing
from app.auth.audit_listing import AuditFilter, list_audit
from app.cli import dead_letters
from app.consumer.threaded_consumer import ThreadedConsumer
from app.database.engine import create_engine
from app.database.paging import Page
from app.protocol.training_request import TrainRequest
from devstack.layout import ROOT
from devstack.program import inherited
from tests.support.fakes import HandlerOf
from tests.support.waiting import until
from tests.support.wire import Wire

JSON = {"content_type": "application/json", "delivery_mode": 2}


@pytest.fixture
def channel(settings):
    with pika.BlockingConnection(connection_parameters(settings, "test")) as connection:
        opened = connection.channel()
        opened.confirm_delivery()
        yield opened


@pytest.fixture
def run(environment):
    """Run the program in this process: the result, with what it says line by line."""
    root, pika_logger = logging.getLogger(), logging.getLogger("pika")
    before = root.handlers[:], root.level, pika_logger.level

    def invoke(*arguments, expect=0, answer=None, as_default=True, **changed):
        if arguments[0] == "replay" and as_default:  # most messages here have no user
            arguments = (*arguments, "--as-default")
        result = CliRunner().invoke(
            dead_letters.main, arguments, input=answer, env=environment | changed
        )
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert result.exit_code == expect, result.output
        return result

    yield invoke
    root.handlers[:], root.level, pika_logger.level = before


def listed(run, *options):
    """What `list` says, a dict for each message."""
    return [json.loads(line) for line in run("list", "--json", *options).stdout.splitlines()]


def names(run):
    return [each["id"] for each in listed(run)]


def publish(channel, queue, body, **properties):
    channel.basic_publish("", queue, body, pika.BasicProperties(**properties), mandatory=True)


def depth(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def took(channel, queue):
    """Wait for a message and take it: its properties and its body."""
    got = until(
        lambda: next((got for got in [channel.basic_get(queue, auto_ack=True)] if got[0]), None),
        f"a message in {queue}",
    )
    return got[1], got[2]


def die(channel, body, queue=TRAIN_QUEUE, **properties):
    """Have a message rejected, as a worker would; wait until it is among the dead."""
    before = depth(channel, DEAD_LETTER_QUEUE)
    publish(channel, queue, body, **properties)
    rejected(channel, queue)
    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == before + 1, "the message is among the dead")


def rejected(channel, queue):
    method = until(lambda: channel.basic_get(queue)[0], f"a message in {queue}")
    channel.basic_reject(method.delivery_tag, requeue=False)


def contents(channel, queue=DEAD_LETTER_QUEUE):
    """Take all there is, in its order: what each says, and its body."""
    return [
        (properties_of(properties), body)
        for properties, body in (took(channel, queue) for _ in range(depth(channel, queue)))
    ]


def properties_of(properties):
    said = dict(vars(properties))
    said["headers"] = dict(said["headers"] or {})
    said["headers"].pop("x-delivery-count", None)  # how often it was looked at
    said["headers"].pop("x-acquired-count", None)
    return said


def bodies(channel, queue=DEAD_LETTER_QUEUE):
    return [body for _, body in contents(channel, queue)]


# list


def test_there_is_nothing(run):
    result = run("list")

    assert result.stdout == ""
    assert result.stderr == "0 of 0 messages in queue.model.dead\n"


def test_a_message_is_one_line(run, channel):
    die(channel, b'{"model_id": "m7",\n "x": 1}', PREDICT_QUEUE)

    heads, line = run("list").stdout.splitlines()

    assert heads.split() == ["id", "time", "queue", "reason", "job_id", "size", "body"]
    cells = line.split(maxsplit=6)
    assert cells[2:] == [PREDICT_QUEUE, "rejected", "m7", "27", '{"model_id": "m7",\\n "x": 1}']
    assert cells[1].startswith("20")
    assert cells[1].endswith("Z")


def test_a_look_changes_nothing(run, channel):
    """As many as there are to show that no order but that of the queue is at work."""
    said = [(str(number).encode(), {"message_id": f"m{number}", **JSON}) for number in range(300)]
    for body, properties in said:
        publish(channel, DEAD_LETTER_QUEUE, body, **properties)

    looks = [listed(run, "--limit", "999") for _ in range(3)]
    run("list", "--limit", "7")
    run("show", looks[0][250]["id"])
    run("list")

    assert looks[0] == looks[1] == looks[2]
    assert [each["job_id"] for each in looks[0]] == [f"m{number}" for number in range(300)]
    assert contents(channel) == [
        (properties_of(pika.BasicProperties(**properties)), body) for body, properties in said
    ]


def test_a_name_outlasts_the_messages_before_it(run, channel):
    for body in (b"1", b"2", b"3"):
        die(channel, body)
    first, second, third = names(run)

    run("purge", first, "--yes")

    assert names(run) == [second, third]


def test_twins_have_names_of_their_own(run, channel):
    for body in (b"twin", b"other", b"twin", b"twin"):
        publish(channel, DEAD_LETTER_QUEUE, body)

    first, other, second, third = names(run)

    assert [second, third] == [f"{first}-2", f"{first}-3"]
    run("purge", second, "--yes")
    assert names(run) == [first, other, second]


def test_a_list_has_an_end_and_says_how_many_there_are(run, channel):
    for number in range(5):
        publish(channel, DEAD_LETTER_QUEUE, b"%d" % number)

    result = run("list", "--limit", "2", "--json")

    assert [json.loads(line)["body"] for line in result.stdout.splitlines()] == ["0", "1"]
    assert result.stderr == "2 of 5 messages in queue.model.dead\n"
    assert bodies(channel) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_second_run_is_told_to_wait(run, channel, settings):
    """The two would get every other message."""
    for number in range(3):
        publish(channel, DEAD_LETTER_QUEUE, b"%d" % number)

    with open_dead_letters(settings) as queue:
        next(queue.messages)
        result = run("list", expect=1)
        assert "another reader" in result.stderr

    assert [each["body"] for each in listed(run)] == ["0", "1", "2"]


def test_what_is_held_when_the_connection_is_lost_comes_back_in_order(run, channel, settings):
    for number in range(100):
        publish(channel, DEAD_LETTER_QUEUE, b"%d" % number)
    held = []

    def look_and_die(wire):
        elsewhere = settings.model_copy(update={"rabbitmq_port": wire.port})
        with open_dead_letters(elsewhere) as queue:
            held.extend(message.body for message in queue.messages)
            wire.cut()

    with Wire(settings.rabbitmq_port) as wire, pytest.raises(errors.BrokerUnavailable):
        look_and_die(wire)

    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 100, "the messages are back")
    assert bodies(channel) == held == [b"%d" % number for number in range(100)]


def test_a_look_that_is_broken_off_changes_nothing(run, channel, settings):
    for number in range(100):
        publish(channel, DEAD_LETTER_QUEUE, b"%d" % number)

    def look_and_stop():
        with open_dead_letters(settings) as queue:
            next(queue.messages)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_and_stop()

    assert bodies(channel) == [b"%d" % number for number in range(100)]


# show

JUNK = bytes(range(256))
WICKED = "\x1b]0;owned\x07 \x7f\x9b31m \u202e\r\n"


def test_json_is_shown_in_a_readable_form(run, channel):
    die(channel, '{"model_id":"größe","rows":[1,2]}'.encode(), message_id="m7", **JSON)
    (name,) = names(run)

    shown = run("show", name).stdout

    fields = json.loads(shown)
    assert fields["id"] == name
    assert fields["properties"]["message_id"] == "m7"
    assert fields["properties"]["headers"]["x-first-death-queue"] == TRAIN_QUEUE
    assert fields["body"] == {"model_id": "größe", "rows": [1, 2]}
    assert '    "model_id": "größe",\n' in shown


@pytest.mark.parametrize(
    "body",
    [
        JUNK,
        WICKED.encode(),
        json.dumps({WICKED: WICKED}, ensure_ascii=False).encode(),
        b"[" * 100_000,
        b'{"a": 1, "a": 2}',
        b"",
    ],
    ids=["binary", "text", "json", "deep", "twice", "empty"],
)
def test_nothing_reaches_the_terminal_that_it_would_obey(run, channel, body):
    properties = {"message_id": WICKED, "headers": {WICKED: WICKED, "bytes": JUNK, "list": [JUNK]}}
    die(channel, body, **properties)
    (name,) = names(run)

    shown = run("show", name).stdout
    for output in (shown, run("list").stdout, run("list", "--json").stdout):
        assert {c for c in output if unicodedata.category(c)[0] == "C"} == {"\n"}

    fields = json.loads(shown)
    assert fields["size"] == len(body)
    assert fields["properties"]["message_id"] == WICKED
    if fields["body"] == {WICKED: WICKED}:
        return
    # A parser of JSON would hide one of two equal keys.
    assert fields["body"] == body.decode(errors="backslashreplace")


def test_properties_that_are_no_text_are_shown(run, channel):
    publish(channel, DEAD_LETTER_QUEUE, b"x", message_id=b"\xff\x1b", headers={b"\xfe": b"\xfd"})
    (name,) = names(run)

    shown = run("show", name).stdout

    assert "xff" in shown
    assert "\x1b" not in shown
    run("replay", name, "--to", PREDICT_QUEUE)
    properties, _ = took(channel, PREDICT_QUEUE)
    assert properties.message_id == b"\xff\x1b"
    assert properties.headers == {b"\xfe": b"\xfd"}


def test_deaths_that_somebody_made_up_are_taken_for_what_they_are(run, channel):
    forged = [{"queue": 7, "time": "never"}], [{"queue": Decimal("1.5")}]
    made_up = ["junk", [], ["junk"], [{}], *forged, {}, None, 7]
    for deaths in made_up:
        publish(channel, DEAD_LETTER_QUEUE, b"x", headers={"x-death": deaths})

    seen = names(run)

    assert len(set(seen)) == len(made_up)
    run("show", *seen)
    result = run("replay", "--all", expect=1)
    assert result.stdout == "0 replayed\n"
    assert depth(channel, DEAD_LETTER_QUEUE) == len(made_up)


@pytest.mark.parametrize("command", [["show"], ["replay"], ["purge", "--yes"]])
def test_a_name_that_is_not_there_is_told_and_nothing_is_done(run, channel, command):
    die(channel, b"1")
    (name,) = names(run)

    result = run(*command, "000000000000", name, expect=1)

    assert result.stderr == "Error: not in queue.model.dead: 000000000000\n"
    assert result.stdout == ""
    assert depth(channel, TRAIN_QUEUE) == 0
    assert bodies(channel) == [b"1"]


# replay


def test_one_of_three_is_replayed(run, channel):
    for body in (b"1", b"2", b"3"):
        die(channel, body, message_id=f"m{body.decode()}")
    _, second, _ = names(run)

    assert run("replay", second).stdout == "1 replayed\n"

    assert bodies(channel, TRAIN_QUEUE) == [b"2"]
    assert bodies(channel) == [b"1", b"3"]


def test_a_replayed_message_is_what_it_was(run, channel, settings):
    said = {
        **JSON,
        "message_id": "m7",
        "correlation_id": "c7",
        "reply_to": "amq.gen-somebody",
        "type": "train",
        "timestamp": 1_700_000_000,
        "app_id": "somebody",
        "priority": 3,
        "headers": {"kept": "yes", "deep": {"list": [1, None, True]}},
    }
    routing = {"CC": [PREDICT_QUEUE]}
    said["user_id"] = settings.rabbitmq_user
    die(channel, b"7", **said, expiration="86400000")
    publish(channel, DEAD_LETTER_QUEUE, b"8", headers=routing)  # and to PREDICT, by the CC
    took(channel, PREDICT_QUEUE)

    run("replay", "--all", "--to", TRAIN_QUEUE)

    replayed = contents(channel, TRAIN_QUEUE)
    assert len(replayed) == 2  # in which order, the priority says from RabbitMQ 4.0 on
    assert (properties_of(pika.BasicProperties(**said)), b"7") in replayed
    assert (properties_of(pika.BasicProperties()), b"8") in replayed
    assert depth(channel, PREDICT_QUEUE) == 0


def test_all_are_replayed_each_to_where_it_comes_from(run, channel):
    die(channel, b"1", TRAIN_QUEUE)
    die(channel, b"2", PREDICT_QUEUE)
    die(channel, b"3", TRAIN_QUEUE)

    assert run("replay", "--all").stdout == "3 replayed\n"

    assert bodies(channel, TRAIN_QUEUE) == [b"1", b"3"]
    assert bodies(channel, PREDICT_QUEUE) == [b"2"]
    assert bodies(channel) == []


def test_a_training_that_was_retried_goes_where_it_died_at_last(run, channel):
    """Its first death, as the broker counts, was the end of its wait in a retry queue."""
    publish(channel, next(iter(RETRY_QUEUES)), b"again", expiration="1")
    rejected(channel, TRAIN_QUEUE)
    (row,) = until(lambda: listed(run), "the message is among the dead")
    assert (row["queue"], row["reason"]) == (TRAIN_QUEUE, "rejected")

    run("replay", row["id"])

    ((properties, body),) = contents(channel, TRAIN_QUEUE)
    assert body == b"again"
    assert properties["headers"] == {}


def test_a_message_whose_queue_is_gone_stays(run, channel):
    die(channel, b"1", TRAIN_QUEUE)
    die(channel, b"2", PREDICT_QUEUE)
    die(channel, b"3", TRAIN_QUEUE)
    first, _, third = names(run)
    channel.queue_delete(TRAIN_QUEUE)

    result = run("replay", "--all", expect=1)

    assert result.stdout == "1 replayed\n"
    for name in (first, third):
        assert f"{name} stays: there is no queue {TRAIN_QUEUE}" in result.stderr
    assert bodies(channel, PREDICT_QUEUE) == [b"2"]
    assert bodies(channel) == [b"1", b"3"]


def test_a_message_whose_queue_is_full_stays(run, channel):
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    channel.queue_declare("full", arguments=full)
    publish(channel, "full", b"first")
    die(channel, b"1")
    (name,) = names(run)

    result = run("replay", name, "--to", "full", expect=1)

    assert f"{name} stays: RabbitMQ rejects it" in result.stderr
    assert bodies(channel) == [b"1"]


def test_a_message_that_the_broker_forbids_stays_and_those_behind_it_go(run, channel, monkeypatch):
    die(channel, b"1", TRAIN_QUEUE)
    die(channel, b"2", PREDICT_QUEUE)
    published = BlockingChannel.basic_publish

    def forbid(self, exchange, routing_key, body, properties, mandatory):
        if body == b"1":  # the broker closes the channel of who names another user
            properties.user_id = "somebody else"
        return published(self, exchange, routing_key, body, properties, mandatory)

    monkeypatch.setattr(BlockingChannel, "basic_publish", forbid)
    result = run("replay", "--all", expect=1)
    monkeypatch.undo()

    assert result.stdout == "1 replayed\n"
    assert "user_id" in result.stderr
    assert bodies(channel, PREDICT_QUEUE) == [b"2"]
    assert bodies(channel) == [b"1"]


@pytest.fixture
def tools(broker):
    """The settings of the tools' user."""
    return broker.node.logins()


def test_a_request_of_a_client_stays_one_of_this_client(run, channel, broker, vhost, tools):
    client = User(Role.CLIENT, "wrn-client-team", "hush")
    broker.api("POST", "definitions", user_definitions([client], vhost))
    login = pika.PlainCredentials(client.name, client.password)
    address = "127.0.0.1", broker.node.amqp, vhost, login
    with pika.BlockingConnection(pika.ConnectionParameters(*address)) as connection:
        sent = pika.BasicProperties(user_id=client.name)
        connection.channel().basic_publish(REQUEST_EXCHANGE, TRAIN_QUEUE, b"1", sent)
        connection.channel().basic_publish(REQUEST_EXCHANGE, TRAIN_QUEUE, b"2")
        for _ in range(2):
            rejected(channel, TRAIN_QUEUE)
        until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 2, "both are among the dead")

    assert run("replay", "--all", **tools).stdout == "2 replayed\n"

    for user in (client.name, None):
        method, properties, _ = channel.basic_get(TRAIN_QUEUE, auto_ack=True)
        assert (properties.user_id, method.exchange) == (user, REQUEST_EXCHANGE)


def test_a_message_without_a_user_stays_unless_it_may_act_for_the_owner_default(run, channel):
    death = {"queue": TRAIN_QUEUE, "reason": "rejected", "exchange": WORK_EXCHANGE, "count": 0}
    publish(channel, TRAIN_QUEUE, b"forged", headers={"x-death": [death]})
    rejected(channel, TRAIN_QUEUE)
    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 1, "the message is among the dead")

    result = run("replay", "--all", expect=1, as_default=False)

    assert result.stdout == "0 replayed\n"
    assert "it names no user" in result.stderr
    assert run("replay", "--all").stdout == "1 replayed\n"
    assert took(channel, TRAIN_QUEUE)[1] == b"forged"


def test_a_message_of_a_service_stays_one_of_this_service(run, channel, broker, vhost, tools):
    user = broker.node.users()[1]
    login = pika.PlainCredentials(user.name, user.password)
    address = "127.0.0.1", broker.node.amqp, vhost, login
    with pika.BlockingConnection(pika.ConnectionParameters(*address)) as connection:
        sent = pika.BasicProperties(user_id=user.name)
        connection.channel().basic_publish(WORK_EXCHANGE, TRAIN_QUEUE, b"1", sent)
        rejected(channel, TRAIN_QUEUE)
        until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 1, "it is among the dead")

    refused = run("replay", "--all", expect=1)  # by a user who may be nobody else
    assert "impersonator" in refused.stderr
    run("replay", "--all", **tools)

    assert took(channel, TRAIN_QUEUE)[0].user_id == user.name


def test_a_message_from_nowhere_goes_where_it_is_sent(run, channel):
    publish(channel, DEAD_LETTER_QUEUE, b"1")
    (name,) = names(run)

    assert "name a queue with --to" in run("replay", name, expect=1).stderr
    assert names(run) == [name]
    assert run("replay", name, "--to", PREDICT_QUEUE).stdout == "1 replayed\n"

    assert bodies(channel, PREDICT_QUEUE) == [b"1"]
    assert bodies(channel) == []


def test_a_message_from_a_queue_that_is_not_ours_goes_only_where_it_is_sent(run, channel):
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD_LETTER_QUEUE}
    channel.queue_declare("theirs", arguments=arguments)
    die(channel, b"1", "theirs")

    result = run("replay", "--all", expect=1)

    assert "comes from theirs" in result.stderr
    assert bodies(channel) == [b"1"]
    assert bodies(channel, "theirs") == []


def test_a_message_that_had_a_deadline_is_named(run, channel):
    die(channel, b"deadline", PREDICT_QUEUE, expiration="86400000")
    die(channel, b"none", PREDICT_QUEUE)
    with_deadline, _ = names(run)

    result = run("replay", "--all")

    assert result.stderr == f"{with_deadline} had a deadline; its sender may not wait any more\n"
    assert bodies(channel, PREDICT_QUEUE) == [b"deadline", b"none"]


def test_a_crash_after_the_confirm_leaves_a_message_in_both_queues(run, channel, settings):
    for body in (b"1", b"2", b"3"):
        die(channel, body)
    published = BlockingChannel.basic_publish

    with Wire(settings.rabbitmq_port) as wire, pytest.MonkeyPatch.context() as patch:

        def crash(self, *arguments, **named):
            published(self, *arguments, **named)  # returns when the broker has confirmed
            wire.cut()

        patch.setattr(BlockingChannel, "basic_publish", crash)
        result = run("replay", "--all", expect=1, RABBITMQ_PORT=str(wire.port))

    assert "the connection was lost" in result.stderr
    assert result.stdout == ""
    assert bodies(channel, TRAIN_QUEUE) == [b"1"]
    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 3, "the messages are back")
    assert bodies(channel) == [b"1", b"2", b"3"]


def test_a_crash_before_the_confirm_loses_nothing(run, channel, settings):
    die(channel, b"1")

    with Wire(settings.rabbitmq_port) as wire, pytest.MonkeyPatch.context() as patch:
        published = BlockingChannel.basic_publish

        def crash(self, *arguments, **named):
            wire.cut()
            published(self, *arguments, **named)

        patch.setattr(BlockingChannel, "basic_publish", crash)
        run("replay", "--all", expect=1, RABBITMQ_PORT=str(wire.port))

    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 1, "the message is back")
    assert bodies(channel) == [b"1"]
    assert bodies(channel, TRAIN_QUEUE) == []


@pytest.fixture
def worker(settings):
    """A real worker: what is no request goes to the dead letters."""
    seen = []

    def handle(deliveries):
        for each in deliveries:
            seen.append(each.body)
            parse_or_reject(each, TrainRequest)

    parameters = connection_parameters(settings, "worker")
    made = ThreadedConsumer("worker", parameters, HandlerOf(handle, TRAIN_QUEUE))
    made.seen = seen
    made.start()
    yield made
    made.stop()
    made.join(20)
    assert not made.is_alive()


def test_what_a_worker_rejects_is_replayed_once_and_comes_back(run, channel, worker):
    """All that were there are replayed, not what a worker rejects meanwhile: that has no end."""
    poison = [b'{"dataset_id": ', b"\x00\xff", b"{}"]
    for body in poison:
        publish(channel, TRAIN_QUEUE, body, message_id=f"job-{len(body)}")
    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 3, "they are among the dead")
    rows = listed(run)
    assert sorted(each["job_id"] for each in rows) == ["job-15", "job-2", "job-2"]
    assert {(each["queue"], each["reason"]) for each in rows} == {(TRAIN_QUEUE, "rejected")}

    assert run("replay", "--all").stdout == "3 replayed\n"

    until(lambda: len(worker.seen) == 6, "the worker has seen them again")
    until(lambda: depth(channel, DEAD_LETTER_QUEUE) == 3, "they are among the dead again")
    assert sorted(worker.seen) == sorted(poison * 2)
    # The first may be back while the last is replayed, and then lose its place.
    assert sorted(bodies(channel)) == sorted(poison)


# purge


def test_one_is_purged(run, channel):
    for body in (b"1", b"2", b"3"):
        die(channel, body)
    _, second, _ = names(run)

    result = run("purge", second, answer="y\n")

    assert "Delete 1 dead letters" in result.stdout
    assert result.stdout.endswith("1 deleted\n")
    assert bodies(channel) == [b"1", b"3"]


def test_all_are_purged(run, channel):
    for number in range(3):
        publish(channel, DEAD_LETTER_QUEUE, b"%d" % number)

    assert run("purge", "--all", "--yes").stdout == "3 deleted\n"

    assert bodies(channel) == []


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_is_purged_without_a_yes(run, channel, answer):
    die(channel, b"1")
    (name,) = names(run)

    run("purge", "--all", answer=answer, expect=1)
    run("purge", name, answer=answer, expect=1)

    assert bodies(channel) == [b"1"]


def test_what_arrives_during_the_question_is_not_purged(run, channel, monkeypatch):
    publish(channel, DEAD_LETTER_QUEUE, b"1")

    def confirm(*_, **__):
        publish(channel, DEAD_LETTER_QUEUE, b"2")

    monkeypatch.setattr(dead_letters.click, "confirm", confirm)

    assert run("purge", "--all").stdout == "1 deleted\n"
    assert bodies(channel) == [b"2"]


# what is wrong

COMMANDS = [["list"], ["show", "x"], ["replay", "--all"], ["purge", "--all", "--yes"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_broker_that_is_away_is_told(run, settings, command):
    with Wire(settings.rabbitmq_port) as taken:
        port = taken.port

    result = run(*command, expect=1, RABBITMQ_PORT=str(port))

    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: RabbitMQ at 127.0.0.1:{port} cannot be reached")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"RABBITMQ_PASSWORD": "wrong"},
        {"RABBITMQ_VHOST": "nowhere"},
        {"RABBITMQ_HOST": "nowhere.invalid"},
    ],
    ids=["password", "vhost", "host"],
)
def test_a_broker_that_lets_us_not_in_is_told(run, wrong):
    result = run("list", expect=1, **wrong)

    assert result.stderr.startswith("Error: RabbitMQ at ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_queue_that_is_not_there_is_told(run, channel, command):
    channel.queue_delete(DEAD_LETTER_QUEUE)

    result = run(*command, expect=1)

    assert result.stderr.startswith(
        f"Error: RabbitMQ refuses: NOT_FOUND - no queue '{DEAD_LETTER_QUEUE}"
    )
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "x", "--all"],
        ["replay", "--all", "--to", DEAD_LETTER_QUEUE],
        ["purge"],
        ["purge", "x", "--all"],
        ["show"],
        ["list", "--limit", "0"],
        ["lose"],
    ],
    ids=" ".join,
)
def test_a_wrong_use_is_a_usage_error(run, arguments):
    assert "Error: " in run(*arguments, expect=2).stderr


def test_the_program_runs_as_a_process(channel, environment):
    publish(channel, DEAD_LETTER_QUEUE, b"caf\xc3\xa9")

    def process(*arguments, **changed):
        return subprocess.run(
            [sys.executable, "-m", "app.cli.dead_letters", *arguments],
            cwd=ROOT,
            env=inherited() | environment | changed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    seen = process("list")
    assert (seen.returncode, seen.stderr) == (0, "1 of 1 messages in queue.model.dead\n")
    assert seen.stdout.splitlines()[1].endswith("5 café")
    asked = process("purge", "--all")
    assert asked.returncode == 1
    assert asked.stderr.strip() == "Aborted!"
    away = process("list", RABBITMQ_PORT="1")
    assert away.returncode == 1
    assert away.stderr.startswith("Error: RabbitMQ at 127.0.0.1:1 cannot be reached")
    assert away.stderr.count("\n") == 1
    assert bodies(channel) == ["café".encode()]


# the audit log


def test_what_is_done_to_a_message_is_in_the_audit_log_before(run, channel, sqlite_url):
    for body in (b"1", b"2"):
        die(channel, body)
    first, second = names(run)

    run("replay", first, "--to", PREDICT_QUEUE)
    run("purge", second, "--yes")

    engine = create_engine(sqlite_url)
    rows = list_audit(engine, AuditFilter(kind=Thing.DEAD_LETTER), Page(9, "created_at"))[0]
    engine.dispose()
    assert [(each.action, each.name, each.detail, each.outcome) for each in rows] == [
        ("replay", first, f"queue {PREDICT_QUEUE}", "begun"),
        ("purge", second, f"queue {TRAIN_QUEUE}", "begun"),
    ]


def test_without_the_audit_log_a_message_stays(run, channel, tmp_path):
    die(channel, b"1")
    away = f"sqlite:///{tmp_path}/none/warren.db"

    replayed = run("replay", "--all", expect=1, DATABASE_URL=away)
    run("purge", "--all", "--yes", expect=1, DATABASE_URL=away)

    assert "the database cannot be used" in replayed.stderr
    assert bodies(channel) == [b"1"]
