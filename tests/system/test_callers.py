"""What one caller may have, on defaults and with limits of its own."""

import asyncio
import json
import math
import re
import socket
from collections import Counter
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, TRAIN_QUEUE
from app.runtime import raise_open_file_limit
from devstack.demo import ROW, TRAIN
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.amqp import RpcClient
from tests.system.support.client import is_problem, train, trained, upload
from tests.system.support.gated import HELD
from tests.system.support.processes import SECONDS, Stack, until

PLAIN_HTTP = True  # it speaks HTTP by itself

COMMAND = gated.ALONE


def streams(http: httpx2.Client, job_id: str, count: int, opened: ExitStack) -> list[Any]:
    """Open streams of a job's events at once; return them when each has had an event."""
    address = ("127.0.0.1", http.base_url.port)
    sockets = [opened.enter_context(socket.create_connection(address)) for _ in range(count)]
    for each in sockets:
        each.settimeout(SECONDS)
        each.sendall(f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    files = [opened.enter_context(each.makefile("rb")) for each in sockets]
    for each in files:
        assert each.readline() == b"HTTP/1.1 200 OK\r\n"
        assert b"event: job\r\n" in iter(each.readline, b"")
    return files


async def ask_at_once(http: httpx2.Client, body: bytes, count: int) -> Counter[bytes]:
    """Send predictions, each over a connection of its own; return how often each status came."""
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    port = http.base_url.port
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(request)
        status = await reader.readline()
        writer.close()
        return status

    return Counter(await asyncio.gather(*(ask(*each) for each in connections)))


def test_on_defaults_one_address_may_be_a_thousand_callers_and_two_hundred_streams(
    running: Running, model_id: str
) -> None:
    raise_open_file_limit()
    http = running.http
    upload(http, HELD)
    job_id = train(http, dataset_id=HELD)
    body = json.dumps({"model_id": model_id, "input_data": ROW}).encode()
    with ExitStack() as opened:
        files = streams(http, job_id, 200, opened)
        assert asyncio.run(ask_at_once(http, body, 1000)) == {b"HTTP/1.1 200 OK\r\n": 1000}
        running.stack.let_go(job_id)
        for each in files:
            assert b"TASK_COMPLETED" in b"".join(iter(each.readline, b"0\r\n"))


SLOW = 0.001  # rows a second; each row takes a caller 1,000 s


@pytest.fixture(scope="module")
def limited(running: Running) -> httpx2.Client:
    """A client of a producer that limits rows and jobs, and believes who the caller is."""
    _, http = running.stack.producer(
        CALLER_MAX_ROWS=str(SLOW), CALLER_MAX_STORED="1", FORWARDED_ALLOW_IPS="127.0.0.1"
    )
    return http


def as_caller(number: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"192.0.2.{number}"}


MANY = {"input_data": [ROW] * 3}


@pytest.mark.parametrize(
    ("number", "path", "body", "rows"),
    [
        (1, "/predict", {"input_data": ROW}, 1),
        (2, "/predict", MANY, 3),
        (3, "/predict/parallel", MANY, 6),
        (4, "/predict/async", MANY, 3),
        (5, "/predict/sync_async", MANY, 6),
        (6, "/invocations", {"input_data": ROW}, 1),
        (7, "/invocations", {"instances": [ROW] * 3}, 3),
    ],
)
def test_every_kind_of_prediction_counts_its_rows(
    limited: httpx2.Client, model_id: str, number: int, path: str, body: Any, rows: int
) -> None:
    models: dict[str, Any] = {"model_id": model_id}
    if path == "/predict/parallel":
        models = {"model_ids": [model_id, "latest"]}
    if path == "/predict/sync_async":
        models = {"sync_model_id": model_id, "async_model_id": model_id}

    answer = limited.post(path, json={**models, **body}, headers=as_caller(number))

    assert answer.is_success, answer.text
    left = re.fullmatch(r'"rows";r=0;t=(\d+)', answer.headers["RateLimit"])
    assert left
    assert math.ceil(int(left[1]) * SLOW) == rows
    again = limited.post(path, json={**models, **body}, headers=as_caller(number))
    assert is_problem(again, 429)["type"] == "rate_limited"
    assert 0 < int(again.headers["Retry-After"]) <= rows / SLOW
    assert limited.get("/health", headers=as_caller(number)).status_code == 200


def test_each_caller_has_the_jobs_of_its_quota(limited: httpx2.Client, model_id: str) -> None:
    asked = {"model_id": model_id, "input_data": ROW}
    both = {"sync_model_id": model_id, "async_model_id": model_id, "input_data": ROW}
    for number in (11, 12):
        mine = as_caller(number)
        key = {**mine, "Idempotency-Key": f"caller-{number}"}
        assert limited.post("/train", json=TRAIN, headers=key).status_code == 202
        refused = limited.post("/train", json=TRAIN, headers=mine)
        problem = is_problem(refused, 429)
        assert (problem["type"], problem["limit"]) == ("quota_exceeded", 1)
        assert int(refused.headers["Retry-After"]) > 0
        assert limited.post("/train", json=TRAIN, headers=key).status_code == 202
        path, body = ("/predict/async", asked) if number == 11 else ("/predict/sync_async", both)
        answer = limited.post(path, json=body, headers=mine)
        assert is_problem(answer, 429)["type"] == "quota_exceeded"


def test_over_amqp_the_caller_is_the_user_that_the_broker_has_checked(stack: Stack) -> None:
    _, _, http = stack.pair(CALLER_MAX_STORED="1")
    upload(http)
    trained(http)  # of another caller
    with stack.amqp() as connection:
        client = RpcClient(connection)
        mine = {"user_id": stack.environment["RABBITMQ_USER"]}
        for properties in (mine, {}, {}):
            assert client.call(TRAIN_QUEUE, TRAIN, count=2, **properties)
        (refused,) = client.call(TRAIN_QUEUE, TRAIN, **mine)
    assert (refused["status"], refused["error"]["type"]) == ("TASK_ERROR", "quota_exceeded")
    until(lambda: stack.waiting(DEAD_LETTER_QUEUE) == 1, "the refused message is a dead letter")
