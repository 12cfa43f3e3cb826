"""After a full round, and after every dependency refused a wrong secret, no secret is anywhere.

Anywhere is: what processes print at their most talkative, what they answer, the arguments that
everybody can list, the database, the bucket, the files that others may read, and traces.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack.demo import ROW
from tests.support.collector import Collector, collector
from tests.support.endpoints import KEY, KEY_ID, Stranger
from tests.system.support.client import is_problem, predict, reached, train, trained, upload
from tests.system.support.processes import ALONE, Stack, until

TOKEN = "t0ken-of-the-round"
OF_BROKER, OF_STORAGE = "wrong-secret-of-the-broker", "wrong-secret-of-the-storage"
OF_DATABASE = "wrong-secret-of-the-database"
COMMAND = (*ALONE, "--invoke", "100")
IN_FILES = ("RABBITMQ_PASSWORD", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL")
NOWHERE = f"postgresql+psycopg://warren:{OF_DATABASE}@127.0.0.1:1/warren"


class Told:
    """Keeps all that a server answers."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, answer: httpx2.Response) -> None:
        answer.read()
        self.text += f"{answer.request.url} {answer.headers} {answer.text}\n"


@pytest.fixture(scope="module")
def peer() -> Iterator[Stranger]:
    with Stranger() as server:
        yield server


def in_files(world: Stack, folder: Path) -> dict[str, str]:
    """Put the secrets of a stack into files that only their owner reads; return the settings."""
    settings = {}
    secrets = {name: world.environment[name] for name in IN_FILES} | {
        "INVOKE_SECRETS__TOKEN": TOKEN,
        "INVOKE_SECRETS__AWS": f"{KEY_ID}:{KEY}",
    }
    for name, secret in secrets.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(f"{secret}\n")
        settings |= {name: "", f"{name}_FILE": str(path)}
    return settings


@pytest.fixture(scope="module")
def spans() -> Iterator[Collector]:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
def told(
    world: Stack, peer: Stranger, spans: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Told:
    """All answers of a full round, whose processes still run."""
    world.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": spans.url, "OTEL_TRACES_SAMPLER_ARG": "1"}
    settings = in_files(world, tmp_path_factory.mktemp("secrets"))
    settings |= {"LOG_LEVEL": "DEBUG", "INVOKE_HOSTS": peer.host}
    _, _, http = world.pair(COMMAND, **settings)
    told = Told()
    http.event_hooks["response"].append(told)
    work(http)
    call_remote_models(http, peer)
    for path in ("/docs", "/redoc", "/openapi.json", "/metadata", "/health/all", "/nowhere"):
        http.get(path)
    refuse_the_broker(world, told)
    refuse_the_storage(world, told)
    refuse_the_database(world, told)
    return told


def work(http: httpx2.Client) -> None:
    """Train, predict and fail."""
    upload(http)
    model_id = trained(http)
    assert predict(http, model_id)["status"] == "TASK_COMPLETED"
    failed = train(http, features=["size"])
    reached(http, failed, "TASK_ERROR")
    job_id = http.post("/predict/async", json={"model_id": model_id, "input_data": ROW}).json()
    reached(http, job_id["message"]["job_id"], "TASK_COMPLETED")
    http.get(f"/metadata?model_id={model_id}")
    http.get(f"/models/{model_id}")
    http.get("/jobs")


def call_remote_models(http: httpx2.Client, peer: Stranger) -> None:
    """Register and call endpoints, of which some send the secret back."""
    models: dict[str, dict[str, Any]] = {
        path.replace("/", "-"): {"url": f"{peer.url}/{path}", "secret": {"name": "token"}}
        for path in ("ok", "echo/200", "echo/500", "status/403", "reset", "internal")
    }
    models["pair"] = {
        "sagemaker": {
            "endpoint_name": "pair",
            "endpoint_url": peer.url,
            "credentials": "aws",
        }
    }
    models["absent"] = {"url": f"{peer.url}/ok", "secret": {"name": "absent"}}
    for model_id, spec in models.items():
        answer = http.put(f"/models/{model_id}", json={"kind": "endpoint", **spec})
        assert answer.status_code == 201, answer.text
        http.get(f"/models/{model_id}")
        http.get(f"/metadata?model_id={model_id}")
        http.post("/predict", json={"model_id": model_id, "input_data": {"a": 1.5}})
    assert (peer.calls["ok"], peer.calls["echo"], peer.calls["internal"]) == (1, 2, 1)


def refuse_the_broker(world: Stack, told: Told) -> None:
    """Start a producer and a consumer that may not log in."""
    wrong = {"RABBITMQ_PASSWORD": OF_BROKER, "LOG_LEVEL": "DEBUG"}
    consumer = world.start(COMMAND, **wrong)
    _, http = world.producer(ready="RabbitMQ cannot be reached", **wrong)
    told(http.get("/health/all"))
    asked = {"model_id": "latest", "input_data": ROW}
    told(answer := http.post("/predict", json=asked))
    is_problem(answer, 503)
    consumer.says("cannot be reached")
    consumer.end()


def refuse_the_storage(world: Stack, told: Told) -> None:
    """Start a producer that may neither read nor write in the bucket."""
    _, http = world.producer(AWS_SECRET_ACCESS_KEY=OF_STORAGE, LOG_LEVEL="DEBUG")
    told(http.get("/health/all"))
    told(answer := http.put("/datasets/refused", content="a,b\n1,2\n"))
    is_problem(answer, 503)


def refuse_the_database(world: Stack, told: Told) -> None:
    """Start a producer and a consumer whose database does not answer."""
    wrong = {"DATABASE_URL": NOWHERE, "LOG_LEVEL": "DEBUG"}
    _, http = world.producer(**wrong)
    told(http.get("/health/all"))
    told(answer := http.get("/jobs"))
    is_problem(answer, 503)
    consumer = world.start(COMMAND, **wrong)
    until(lambda: "database" in consumer.output().lower(), "the consumer misses its database")
    consumer.end()


@pytest.fixture(scope="module")
def secrets(world: Stack) -> list[str]:
    real = [world.environment[name] for name in ("RABBITMQ_PASSWORD", "AWS_SECRET_ACCESS_KEY")]
    return [*real, TOKEN, KEY, OF_BROKER, OF_STORAGE, OF_DATABASE]


@pytest.fixture
def absent(secrets: list[str]) -> Any:
    """Check that no secret is in a text; it names the secret by its number."""

    def check(text: str | bytes, where: object) -> None:
        found = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
        there = [number for number, secret in enumerate(secrets) if secret.encode() in found]
        assert there == [], where

    return check


def test_the_secrets_that_the_round_used_were_the_right_ones(told: Told, peer: Stranger) -> None:
    assert '"broker"' in told.text
    assert TOKEN in str(peer.requests)


def test_no_process_prints_one(told: Told, world: Stack, absent: Any) -> None:
    assert "DEBUG" in world.output()
    absent(world.output(), "a log")


def test_no_answer_holds_one(told: Told, absent: Any) -> None:
    for answer in told.text.splitlines():
        absent(answer, answer[:200])


def test_no_span_holds_one(told: Told, spans: Collector, absent: Any) -> None:
    wanted = {"PUT /models/{model_id}", "process queue.model.train", "process queue.model.invoke"}
    until(lambda: wanted <= {each.span.name for each in spans.collected}, "the spans have come")
    until(lambda: any("error.type" in each.attributes for each in spans.collected), "one failed")
    for each in spans.collected:
        absent(each.span.SerializeToString(), each.span.name)


def test_no_process_has_one_among_its_arguments(told: Told, absent: Any) -> None:
    lines = {path: path.read_bytes() for path in readable(Path("/proc").glob("[0-9]*/cmdline"))}
    assert any(b"app/consumer/consumer.py" in line for line in lines.values())
    for path, line in lines.items():
        absent(line, path)


def readable(paths: Iterator[Path]) -> Iterator[Path]:
    """Yield those of which something can be read; a process may end meanwhile."""
    for path in paths:
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


def test_neither_the_database_nor_the_bucket_has_one(told: Told, world: Stack, absent: Any) -> None:
    database = Path(world.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    for path in database.parent.glob(f"{database.name}*"):
        absent(path.read_bytes(), path)
    stored = list(world.bucket.objects.all())
    assert stored
    for each in stored:
        absent(each.get()["Body"].read(), each.key)


def test_no_file_that_others_may_read_holds_one(told: Told, world: Stack, absent: Any) -> None:
    files = [path for path in world.home.parent.rglob("*") if path.is_file()]
    assert files
    for path in files:
        if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            absent(path.read_bytes(), path)
