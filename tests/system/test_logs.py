"""What the processes say: enough to follow a job, and no secret."""

import re

import pika

from app.amqp.topology import TRAIN_QUEUE
from app.observability.child_output import MAX_BYTES
from devstack.demo import TRAIN
from tests.system.conftest import Running
from tests.system.support.amqp import RpcClient
from tests.system.support.client import is_problem, predict, reached, train
from tests.system.support.processes import Process

SETTINGS = {"LOG_LEVEL": "DEBUG"}
OF_JOBS = {
    "app.consumer.handlers.train",
    "app.consumer.handlers.training_end",
    "app.jobs.attempt",
}

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>[A-Z]+) (?P<thread>\S+) (?P<logger>\S+) "
    r"\[(?P<job>[^]]+)\] (?P<text>.*)"
)
ELAPSED = r"elapsed_ms=\d+\.\d"


def lines_of(process: Process, job_id: str) -> list[str]:
    """Return what a process of ours has said of a job, with the level; libraries left out."""
    found = [match for line in process.output().splitlines() if (match := LINE.match(line))]
    return [
        f"{line['level']} {line['text']}"
        for line in found
        if line["job"] == job_id and line["logger"].startswith("app.")
    ]


def test_every_line_of_a_job_carries_its_id(running: Running, model_id: str) -> None:
    failed = train(running.http, features=["size"])
    reached(running.http, failed, "TASK_ERROR")
    for job in (model_id, failed):
        running.consumer.says(f"[{job}] END train")
    found = [
        match for line in running.consumer.output().splitlines() if (match := LINE.match(line))
    ]
    # Such a thread does nothing but jobs; its twin of the same name keeps the connection.
    of_jobs = [
        line
        for line in found
        if line["thread"].startswith("train-")
        and line["logger"] != "app.consumer.threaded_consumer"
    ]
    assert {line["job"] for line in of_jobs} == {model_id, failed}
    assert OF_JOBS | {"botocore.endpoint"} <= {line["logger"] for line in of_jobs}
    for job, end in ((model_id, "TASK_COMPLETED"), (failed, "TASK_ERROR")):
        lines = [line for line in of_jobs if line["job"] == job]
        texts = [line["text"] for line in lines if line["logger"] in OF_JOBS]
        assert texts[0] == f"START train model={job} attempt=1"
        assert texts[1] == "attempt 1: random_forest_regressor on diabetes"
        assert texts[-2].startswith(f"attempt 1: {end}")
        assert re.fullmatch(rf"END train model={job} attempt=1 {end} {ELAPSED}", texts[-1])


def test_one_id_finds_a_request_on_both_sides_of_the_broker(
    running: Running, model_id: str
) -> None:
    running.producer.says(f"[{model_id}] END train")
    of_training = lines_of(running.producer, model_id)
    assert of_training[0] == f"INFO START train model={model_id}"
    assert re.fullmatch(
        rf"INFO END train model={model_id} TASK_RECEIVED {ELAPSED}", of_training[-1]
    )

    predict(running.http, model_id, job_id="my-call")
    for side in (running.producer, running.consumer):
        side.says("[my-call] END predict")
        start, end = lines_of(side, "my-call")
        assert start == f"INFO START predict model={model_id}"
        assert re.fullmatch(rf"INFO END predict model={model_id} TASK_COMPLETED {ELAPSED}", end)

    asked = {"model_id": model_id, "input_data": {}, "job_id": "my-mistake"}
    is_problem(running.http.post("/predict", json=asked), 422)
    for side in (running.producer, running.consumer):
        side.says("[my-mistake] END predict")
        start, end = lines_of(side, "my-mistake")
        assert start == f"INFO START predict model={model_id}"
        assert re.fullmatch(rf"INFO END predict model={model_id} TASK_ERROR {ELAPSED} invalid", end)


FORGED = "2026-01-01T00:00:00.000Z CRITICAL train-1 app.jobs [{}] END train TASK_COMPLETED"


def test_what_strangers_send_over_amqp_forges_no_line(
    running: Running, model_id: str, connection: pika.BlockingConnection
) -> None:
    forged = FORGED.format(model_id)
    for broken in ("\n", "\r", "\x1b[2K\r", "\u2028", "\x85"):
        body = {
            **TRAIN,
            "features": [f"a{broken}{forged}"],
            "model_id": f"m{len(broken)}-{ord(broken[0])}",
        }
        RpcClient(connection).call(TRAIN_QUEUE, body)
    running.consumer.says(r"a\u0085" + forged)  # the last one

    for shown in (r"a\n", r"a\r", r"a\u001b[2K\r", r"a\u2028"):
        assert f"{shown}{forged}" in running.consumer.output()
    for line in running.consumer.output().split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("2026-01-01"), line


def test_a_talkative_fit_prints_under_its_id_and_not_for_ever(
    running: Running, model_id: str
) -> None:
    params = {"verbose": 100, "n_estimators": 3000, "max_depth": 2}
    job_id = train(running.http, params=params)
    reached(running.http, job_id, "TASK_COMPLETED")
    running.consumer.says("bytes more")

    printed = [line for line in lines_of(running.consumer, job_id) if "a process to fit: " in line]
    trees = [line for line in printed if re.search(r"building tree \d+ of \d+$", line)]
    assert len(trees) > 100
    assert sum(map(len, printed)) < 3 * MAX_BYTES
    assert not re.search("^building tree", running.consumer.output(), re.MULTILINE)


def test_a_prediction_that_nobody_has_named_is_not_logged(running: Running, model_id: str) -> None:
    predict(running.http, model_id, job_id="before")
    predict(running.http, model_id)
    predict(running.http, model_id, job_id="after")
    for side in (running.producer, running.consumer):
        for line in ("[before] END", "[after] START"):
            side.says(line)
        text = side.output()
        between = text[text.rindex("[before] END") : text.index("[after] START")]
        assert not re.search("\\] (START|END) ", between.partition("\n")[2])


def test_no_secret_is_in_the_logs_however_talkative_they_are(
    running: Running, model_id: str
) -> None:
    assert predict(running.http, model_id)["status"] == "TASK_COMPLETED"
    _, http = running.stack.producer(
        ready="RabbitMQ cannot be reached",
        LOG_LEVEL="DEBUG",
        DATABASE_URL="postgresql+psycopg://warren:secret-of-the-database@127.0.0.1:1/warren",
        RABBITMQ_PASSWORD="secret-of-the-broker",
    )
    answer = http.get("/jobs")
    assert is_problem(answer, 503)["type"] == "database_unavailable"

    said = running.stack.output() + answer.text
    for secret in (
        "secret-of-the-database",
        "secret-of-the-broker",
        running.stack.environment["RABBITMQ_PASSWORD"],
        running.stack.environment["AWS_SECRET_ACCESS_KEY"],
    ):
        assert secret not in said
