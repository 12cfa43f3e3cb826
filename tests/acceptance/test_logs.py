"""What the processes say: enough to follow a job, and no secret."""

import re

from tests.acceptance.client import is_problem, predict, reached, train
from tests.acceptance.conftest import Running

SETTINGS = {"LOG_LEVEL": "DEBUG"}
OF_JOBS = {"app.consumer.train", "app.consumer.claim"}

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ (?P<thread>\S+) (?P<logger>\S+) "
    r"\[(?P<job>[^]]+)\] (?P<text>.*)"
)


def test_every_line_of_a_job_carries_its_id(running: Running, model_id: str) -> None:
    failed = train(running.http, features=["size"])
    reached(running.http, failed, "TASK_ERROR")
    running.consumer.says(f"[{failed}] attempt 1: TASK_ERROR")
    found = [
        match for line in running.consumer.output().splitlines() if (match := LINE.match(line))
    ]
    # Such a thread does nothing but jobs; its twin of the same name keeps the connection.
    of_jobs = [
        line
        for line in found
        if line["thread"].startswith("train-") and line["logger"] != "app.consumer.worker"
    ]
    assert {line["job"] for line in of_jobs} == {model_id, failed}
    assert OF_JOBS | {"botocore.endpoint"} <= {line["logger"] for line in of_jobs}
    for job, end in ((model_id, "TASK_COMPLETED"), (failed, "TASK_ERROR")):
        lines = [line for line in of_jobs if line["job"] == job]
        texts = [line["text"] for line in lines if line["logger"] in OF_JOBS]
        assert texts[0] == "attempt 1: random_forest_regressor on diabetes"
        assert texts[-1].startswith(f"attempt 1: {end}")


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
