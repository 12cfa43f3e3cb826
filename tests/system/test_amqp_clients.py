"""AMQP clients of other libraries: how they name, compress and label their messages."""

import codecs
import json
import os
import re
import shlex
import subprocess
import sys
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kombu
import pika
import pytest

from app.amqp.permissions import Role
from app.amqp.topology import DEAD_LETTER_QUEUE, INVOKE_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from app.amqp.users import User, user_definitions
from devstack.demo import ROW, TRAIN
from devstack.layout import ROOT
from devstack.rabbitmq import Broker
from tests.support.packing import gzip_compress
from tests.support.taking import take
from tests.system.conftest import Running
from tests.system.support.amqp import RpcClient, address_of_broker
from tests.system.support.client import PREDICTION, RMSE, diabetes, predict, trained, upload
from tests.system.support.processes import until
from tests.system.support.programs import program

pytestmark = pytest.mark.plain  # its clients have addresses of their own


@pytest.fixture
def client(connection: pika.BlockingConnection) -> RpcClient:
    return RpcClient(connection)


class KombuClient:
    """Asks with kombu, the library below Celery, as its documentation shows."""

    def __init__(self, connection: kombu.Connection) -> None:
        self.connection = connection
        self.channel = connection.channel()
        self.producer = kombu.Producer(self.channel, serializer="json")
        self.callback_queue = f"kombu-{uuid.uuid4()}"
        self.replies: list[Any] = []
        kombu.Consumer(
            self.channel,
            [kombu.Queue(self.callback_queue, exclusive=True)],
            callbacks=[lambda body, _: self.replies.append(body)],
            accept=["json"],
            no_ack=True,
        ).consume()

    def call(self, queue: str, body: Any, count: int = 1, **properties: Any) -> list[Any]:
        self.replies.clear()
        self.producer.publish(
            body, routing_key=queue, reply_to=self.callback_queue, correlation_id="1", **properties
        )
        while len(self.replies) < count:
            self.connection.drain_events(timeout=60)
        return self.replies


@pytest.fixture
def of_kombu(running: Running) -> Iterator[KombuClient]:
    of = running.stack.environment
    with kombu.Connection(
        hostname=of["RABBITMQ_HOST"],
        port=int(of["RABBITMQ_PORT"]),
        userid=of["RABBITMQ_USER"],
        password=of["RABBITMQ_PASSWORD"],
        virtual_host=of["RABBITMQ_VHOST"],
        transport="pyamqp",
    ) as connection:
        yield KombuClient(connection)


@pytest.mark.parametrize("compression", [None, "gzip", "bzip2", "lzma"])
def test_kombu_trains_and_predicts_with_every_compression(
    compression: str | None, model_id: str, of_kombu: KombuClient
) -> None:
    (answer,) = of_kombu.call(
        PREDICT_QUEUE, {"model_id": model_id, "input_data": ROW}, compression=compression
    )
    assert answer["prediction"] == pytest.approx(PREDICTION, abs=0.00005)

    body = {**TRAIN, "estimator": "ridge"}
    received, completed = of_kombu.call(TRAIN_QUEUE, body, 2, compression=compression)
    assert (received["status"], completed["status"]) == ("TASK_RECEIVED", "TASK_COMPLETED")


def test_kombu_is_told_what_it_may_send_instead_of_brotli_or_pickle(
    model_id: str, of_kombu: KombuClient, connection: pika.BlockingConnection
) -> None:
    kombu.compression.register(bytes, bytes, "application/x-brotli", aliases=["brotli"])
    body = {"model_id": model_id, "input_data": ROW}

    (brotli,) = of_kombu.call(PREDICT_QUEUE, body, compression="brotli")
    (pickle,) = of_kombu.call(PREDICT_QUEUE, body, serializer="pickle")

    assert brotli["error"]["type"] == "unsupported"
    assert '"application/x-brotli" is unknown; send gzip, ' in brotli["error"]["detail"]
    assert pickle["status"] == "TASK_ERROR"
    assert len(take(connection.channel(), DEAD_LETTER_QUEUE, 2)) == 2


def encoded(text: str, *names: str) -> bytes:
    body = text.encode()
    for name in names:
        body = {"gzip": gzip_compress, "deflate": zlib.compress}[name](body)
    return body


@pytest.mark.parametrize("queue", [TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE])
@pytest.mark.parametrize(
    ("body", "properties"),
    [
        (encoded("{}"), {"content_encoding": "utf-8"}),
        (encoded("{}"), {"content_encoding": "identity", "content_type": "text/plain"}),
        (encoded("{}", "gzip"), {"content_encoding": "gzip"}),
        (encoded("{}", "deflate"), {"content_encoding": "deflate"}),
        (encoded("{}", "deflate", "gzip"), {"content_encoding": "deflate, gzip"}),
        (codecs.BOM_UTF8 + b"{}", {}),
        (
            encoded("{}", "gzip"),
            {"content_encoding": "UTF-8", "headers": {"compression": "application/x-gzip"}},
        ),
    ],
)
def test_a_body_is_read_however_it_is_encoded(
    queue: str, body: bytes, properties: dict[str, Any], client: RpcClient, running: Running
) -> None:
    """The body is an object without members, which is read and then refused for what it lacks."""
    (refused,) = client.call(queue, body, **properties)
    assert refused["error"]["type"] == "invalid", refused
    take(client.connection.channel(), DEAD_LETTER_QUEUE, 1)


BOMB = gzip_compress(bytes(100_000_000))


@pytest.mark.parametrize("queue", [TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE])
@pytest.mark.parametrize(
    ("body", "properties", "type_", "detail"),
    [
        (encoded("{}"), {"content_encoding": "utf-16"}, "unsupported", '"utf-16" is unknown; send'),
        (encoded("{}"), {"content_encoding": "br"}, "unsupported", '"br" is unknown; send gzip'),
        (encoded("{}", "gzip")[:9], {"content_encoding": "gzip"}, "malformed", "cut off"),
        (encoded("{}"), {"content_encoding": "deflate"}, "malformed", "cannot be decoded"),
        (BOMB, {"content_encoding": "gzip"}, "too_large", "over the limit of 4194304 bytes"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_answered_once_and_is_a_dead_letter(
    queue: str,
    body: bytes,
    properties: dict[str, Any],
    type_: str,
    detail: str,
    client: RpcClient,
    running: Running,
) -> None:
    (refused,) = client.call(queue, body, **properties)
    assert (refused["status"], refused["error"]["type"]) == ("TASK_ERROR", type_)
    assert detail in refused["error"]["detail"]
    ((_, _, letter),) = take(client.connection.channel(), DEAD_LETTER_QUEUE, 1)
    assert letter == body
    assert running.stack.waiting(queue) == 0


def test_many_predictions_may_share_an_encoded_message(
    model_id: str, client: RpcClient, connection: pika.BlockingConnection
) -> None:
    line = json.dumps({"model_id": model_id, "input_data": ROW})
    channel = connection.channel()
    callback = channel.queue_declare("", exclusive=True).method.queue
    asked = pika.BasicProperties(
        reply_to=callback,
        content_type="application/jsonlines; charset=utf-8",
        content_encoding="gzip",
    )
    channel.basic_publish("", PREDICT_QUEUE, encoded(f"{line}\n" * 50, "gzip"), asked)
    ((_, properties, body),) = take(channel, callback, 1)
    assert properties.content_type == "application/x-ndjson"
    answers = [json.loads(each) for each in body.split(b"\n")]
    assert [answer["prediction"] for answer in answers] == [pytest.approx(PREDICTION)] * 50


def test_a_training_published_twice_with_new_data_in_between_makes_two_models(
    model_id: str, client: RpcClient, running: Running
) -> None:
    body = {**TRAIN, "dataset_id": "growing"}
    lines = diabetes().splitlines(keepends=True)
    upload(running.http, "growing")
    (_, first) = client.call(TRAIN_QUEUE, body, 2, message_id="1")
    upload(running.http, "growing", "".join(lines[:200]))
    (_, second) = client.call(TRAIN_QUEUE, body, 2, message_id="2")
    (again,) = client.call(TRAIN_QUEUE, body, 1, message_id="2")
    (_, third) = client.call(TRAIN_QUEUE, body, 2)

    assert first["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.005)
    assert second["metrics"]["rmse"] != first["metrics"]["rmse"]
    assert again == second
    assert third["metrics"] == second["metrics"]
    assert len({each["model_id"] for each in (first, second, third)}) == 3


def test_a_training_is_the_same_under_a_name_in_bytes_and_in_another_order(
    model_id: str, client: RpcClient
) -> None:
    body = {**TRAIN, "estimator": "ridge"}
    name: Any = b"\xff\x00\x80"
    (_, first) = client.call(TRAIN_QUEUE, body, 2, message_id=name)
    (again,) = client.call(TRAIN_QUEUE, dict(reversed(body.items())), message_id=name)
    (_, other) = client.call(TRAIN_QUEUE, body, 2, message_id=b"\xfe\x00\x80")

    assert again == first
    assert other["model_id"] != first["model_id"]


def test_an_error_is_not_told_again_when_its_cause_is_gone(
    model_id: str, client: RpcClient, running: Running
) -> None:
    body = {**TRAIN, "dataset_id": "late"}
    (_, missing) = client.call(TRAIN_QUEUE, body, 2)
    upload(running.http, "late")
    (_, completed) = client.call(TRAIN_QUEUE, body, 2)
    assert (missing["error"]["type"], completed["status"]) == ("not_found", "TASK_COMPLETED")


PAGE = (ROOT / "docs/amqp.md").read_text()
OF_A_CLIENT, *EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CLIENTS = ROOT / "examples/clients"
COMMANDS = re.findall(
    r"^(?:java|node|php|\.venv).* \$URL diabetes$",
    (CLIENTS / "README.md").read_text(),
    re.MULTILINE,
)
LANGUAGES = ("python", "node", "java", "php")
NODE = CLIENTS / "node"


@pytest.mark.parametrize(
    ("example", "completed"), list(zip(EXAMPLES, (1, 2), strict=True)), ids=["pika", "kombu"]
)
def test_the_examples_of_the_documentation_run_and_several_at_a_time(
    example: str, completed: int, running: Running, model_id: str
) -> None:
    script = example.replace(
        "amqp://user:password@127.0.0.1:5672/vhost", address_of_broker(running.stack.environment)
    )

    def run(_: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    with ThreadPoolExecutor() as pool:
        for ended in pool.map(run, range(2)):
            assert (ended.returncode, ended.stderr) == (0, "")
            assert ended.stdout.count("TASK_COMPLETED") == completed


def test_the_example_of_a_client_with_least_privilege_asks_a_model(
    running: Running, model_id: str, broker: Broker
) -> None:
    client = User(Role.CLIENT, "wrn-client-team", "password")
    vhost = running.stack.environment["RABBITMQ_VHOST"]
    broker.api("POST", "definitions", user_definitions([client], vhost))
    small = trained(running.http, features=["bmi", "bp"], estimator="ridge")
    running.http.put(f"/models/{small}/grants/team").raise_for_status()
    script = OF_A_CLIENT.replace("127.0.0.1:5672/vhost", f"127.0.0.1:{broker.node.amqp}/{vhost}")
    command = [sys.executable, "-c", script.replace("MODEL_ID", f"default~{small}")]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert f'"model_id":"default~{small}"' in ended.stdout  # as others call it
    assert "TASK_COMPLETED" in ended.stdout


def test_the_example_for_node_asks_a_model(running: Running, model_id: str) -> None:
    if not (NODE / "node_modules").exists() and not os.environ.get("CI"):
        pytest.skip("amqplib is not installed")
    (example,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    small = trained(running.http, features=["bmi", "bp"], estimator="ridge")
    script = example.replace(
        "amqp://user:password@127.0.0.1:5672/vhost", address_of_broker(running.stack.environment)
    )
    command = [program("node"), "--input-type=module", "-e", script.replace("MODEL_ID", small)]

    ended = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"model_id: '{small}'" in ended.stdout


@pytest.mark.parametrize(
    ("language", "command"), list(zip(LANGUAGES, COMMANDS, strict=True)), ids=LANGUAGES
)
def test_an_example_of_a_language_gets_the_answers_of_http(
    language: str, command: str, running: Running, model_id: str
) -> None:
    assert f"/{language}/" in command
    if language == "node" and not (NODE / "node_modules").exists() and not os.environ.get("CI"):
        pytest.skip("amqplib is not installed")
    first, *others = shlex.split(
        command.replace("$URL", shlex.quote(address_of_broker(running.stack.environment)))
    )
    of = sys.executable if first.startswith(".venv") else program(first)
    ended = subprocess.run([of, *others], cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert (ended.returncode, ended.stderr) == (0, "")
    (made, *predicted, refused) = ended.stdout.splitlines()
    trained = made.removeprefix("trained ")
    rows = {"bmi": 0.06, "bp": 0.02}, {"bmi": -0.04, "bp": -0.02}
    expected = [predict(running.http, trained, row)["prediction"] for row in rows]
    assert [float(line.removeprefix("predicted ")) for line in predicted] == expected
    wrong = {"model_id": trained, "input_data": {"bmi": "high", "bp": 0.02}}
    problem = running.http.post("/predict", json=wrong).json()
    assert refused == f"refused {problem['type']}: {problem['detail']}"


def test_nothing_is_left(running: Running) -> None:
    for queue in (TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE, DEAD_LETTER_QUEUE):
        until(lambda queue=queue: running.stack.waiting(queue) == 0, f"{queue} is empty")
    assert "Traceback" not in running.consumer.output()
